//! Objects are read side by side, as many as the bound on what is in flight lets, and no more.

use std::sync::atomic::Ordering;

use store::ReadAhead;

use super::world::*;

const ROW: &str = "{\"a\":1}\n";

/// Reads drops of these sizes, of which so many are to be open all the time, or all that are left. Gives the most objects that were, and the most bytes that several held.
async fn read(limit: ReadAhead, sizes: &[usize], at_once: usize) -> (usize, u64) {
    let mut world = World::new().await;
    // The schema is learned from it.
    world.drop("orders/first.json", ROW);
    assert_eq!(world.deliver().await, 0);
    let flight = world.bucket.in_flight.clone();
    *flight.limit.lock().unwrap() = limit;
    flight.awaited.store(at_once, Ordering::Relaxed);
    flight.left.store(sizes.len(), Ordering::Relaxed);
    *flight.most.lock().unwrap() = (0, 0);
    for (at, size) in sizes.iter().enumerate() {
        world.drop(&format!("orders/{at:03}.json"), ROW.repeat(size / ROW.len()));
    }
    assert_eq!(world.deliver().await, 0);
    assert_ne!(flight.awaited.load(Ordering::Relaxed), 0, "{at_once} were not open at once");
    let (held, rows, batches) = world.held().await;
    let wanted = 1 + sizes.iter().map(|size| size / ROW.len()).sum::<usize>();
    assert_eq!((held.len(), rows, batches), (1 + sizes.len(), wanted as u64, 2));
    *flight.most.lock().unwrap()
}

#[tokio::test]
async fn as_many_objects_are_read_at_once_as_the_bound_on_objects_lets() {
    let limit = ReadAhead { objects: 5, bytes: 1 << 20, bytes_per_object: 1 << 20 };
    assert_eq!(read(limit, &[80; 30], 5).await, (5, 400));
}

#[tokio::test]
async fn as_many_objects_are_read_at_once_as_the_bound_on_bytes_lets() {
    let limit = ReadAhead { objects: 64, bytes: 1_000, bytes_per_object: 1 << 20 };
    assert_eq!(read(limit, &[240; 30], 4).await, (4, 960));
    assert_eq!(read(limit, &[200; 30], 5).await, (5, 1_000));
    assert_eq!(read(ReadAhead { bytes: 999, ..limit }, &[200; 30], 4).await, (4, 800));
}

#[tokio::test]
async fn of_a_large_object_only_that_counts_which_is_held_of_it() {
    let limit = ReadAhead { objects: 64, bytes: 1_000, bytes_per_object: 400 };
    assert_eq!(read(limit, &[8_000; 10], 2).await, (2, 800));
    assert_eq!(read(limit, &[8_000, 80, 80, 80, 80, 8_000], 5).await, (5, 720));
}

#[tokio::test]
async fn what_holds_more_than_the_bound_is_read_by_itself() {
    let limit = ReadAhead { objects: 64, bytes: 1_000, bytes_per_object: 1 << 20 };
    assert_eq!(read(limit, &[8_000; 5], 1).await, (1, 0));
    assert_eq!(read(limit, &[400, 400, 8_000, 400, 400], 2).await, (2, 800));
}

#[tokio::test]
async fn where_opening_is_quick_nothing_is_opened_ahead() {
    assert_eq!(read(ReadAhead::default(), &[80; 10], 1).await, (1, 0));
}
