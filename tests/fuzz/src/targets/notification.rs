//! Messages with notifications, in all envelopes.
//!
//! - No more notifications than the limit, each with a bucket and a key.
//! - What is forwarded is read back, so that nothing changes on its way through a queue of ours.
//! - Of two notifications at most one is the later.
//! - An error says nothing of what the message held.

use drops::Timestamp;
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
        // Times are written to the millisecond, as S3 writes them.
        let milliseconds = |time: Option<Timestamp>| time.map(Timestamp::milliseconds);
        let found = again.notifications.first_mut().expect("one");
        assert_eq!(milliseconds(found.event_time), milliseconds(notification.event_time));
        found.event_time = notification.event_time;
        assert_eq!(again, Told { notifications: vec![notification.clone()], ..Told::default() });
    }
    for (one, other) in told.notifications.iter().zip(told.notifications.iter().skip(1)) {
        assert!(!(one.is_later_than(other) && other.is_later_than(one)));
        assert!(!one.is_later_than(one));
    }
    true
}
