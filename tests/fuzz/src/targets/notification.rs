//! Messages with notifications, in all envelopes.
//!
//! - No more notifications than the limit, each with a bucket and a key.
//! - What is forwarded is read back, so that nothing changes on its way through a queue of ours.
//! - Of two notifications at most one is the later.
//! - An error says nothing of what the message held.

use drops::notification::{MAX_NOTIFICATIONS, Told, forward, read};

pub(super) fn check(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let told = match read(text) {
        Ok(told) => told,
        Err(why) => {
            assert!(why.to_string().len() < 400, "{why}");
            return false;
        }
    };
    assert!(told.notifications.len() <= MAX_NOTIFICATIONS);
    for notification in &told.notifications {
        assert!(!notification.bucket.is_empty() && !notification.key.is_empty());
        let mut again = read(&forward(notification)).expect("what we write is read");
        // A time is written to the microsecond, and not at all outside of the years that can be written.
        if let Some(found) = again.notifications.first_mut().filter(|found| found.event_time.is_none()) {
            found.event_time = notification.event_time;
        }
        assert_eq!(again, Told { notifications: vec![notification.clone()], ..Told::default() });
    }
    for (one, other) in told.notifications.iter().zip(told.notifications.iter().skip(1)) {
        assert!(!(one.is_later_than(other) && other.is_later_than(one)));
        assert!(!one.is_later_than(one));
    }
    true
}
