//! What a user is told when a request fails, and whether a caller tries again.

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use ledger::{DynamoLedger, Ledger, LedgerError};

use crate::proxy::{Fate, Proxy};
use crate::{client, endpoint, ledger_at, new_table};

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T, LedgerError>, passing: bool, parts: &[&str]) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.passing, passing, "{text}");
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

fn name() -> drops::PipelineName {
    "p".parse().unwrap()
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named() {
    let ledger = DynamoLedger::new(client(&endpoint()), "no-such-table".into());
    let parts = ["'no-such-table'", "no such table", "terraform apply"];
    check(ledger.identity().await, false, &parts);
    check(ledger.head(&name()).await, false, &parts);
    check(ledger.move_head(&name(), 1).await, false, &parts);
    check(ledger.staged_totals(&name()).await, false, &parts);
}

#[tokio::test]
async fn a_table_that_is_no_ledger_is_refused() {
    let other = format!("{}-other", new_table().await);
    let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let request = client(&endpoint()).create_table().table_name(&other).billing_mode(BillingMode::PayPerRequest);
    request.attribute_definitions(attribute.build().unwrap()).key_schema(key.build().unwrap()).send().await.unwrap();
    let ledger = DynamoLedger::new(client(&endpoint()), other.clone());
    check(ledger.identity().await, false, &[&other, "no ledger", "\"id\""]);
}

#[tokio::test]
async fn what_does_not_end_is_passing_and_what_is_denied_is_not() {
    for (code, status, passing, say) in [
        ("ThrottlingException", 400, true, "throttles"),
        ("InternalServerError", 500, true, "InternalServerError"),
        ("AccessDeniedException", 400, false, "role"),
        ("UnrecognizedClientException", 400, false, "credentials"),
        ("ValidationException", 400, false, "ValidationException"),
    ] {
        let proxy = Proxy::start(&endpoint(), move |_, _| Fate::Refused(status, code)).await;
        let ledger = ledger_at(&proxy.endpoint).await;
        let parts = ["ledger-", say, "by the proxy"];
        check(ledger.reserve_intent(&name(), &intent()).await, passing, &parts);
        let tries: u64 = proxy.take_counts().values().sum();
        assert_eq!(tries > 1, passing, "{code}: {tries} tries");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_passing() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let ledger = ledger_at(&address).await;
    check(ledger.head(&name()).await, true, &["read the head", "could not be reached"]);
}

fn intent() -> ledger::Intent {
    let (list, digest) = ("intents/1".into(), "00".into());
    ledger::Intent { number: 1, predecessor: None, list, digest, at: drops::Timestamp(1) }
}
