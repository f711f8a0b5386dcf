use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};

/// Makes a ledger's table, for tests and trials: on demand, keys `pk` and `sk`. A real one is made by Terraform, with encryption and
/// point-in-time recovery.
///
/// # Errors
/// What DynamoDB said.
pub async fn create_table(client: &Client, name: &str) -> Result<(), String> {
    let told = |problem: String| format!("cannot make the DynamoDB table '{name}': {problem}");
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let defined = AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
        request = request
            .attribute_definitions(defined.build().map_err(|error| told(error.to_string()))?)
            .key_schema(key.build().map_err(|error| told(error.to_string()))?);
    }
    request.send().await.map_err(|error| told(drops::causes(&error)))?;
    for _ in 0..300 {
        let seen = client.describe_table().table_name(name).send().await;
        let seen = seen.map_err(|error| told(drops::causes(&error)))?;
        if seen.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(told("it is not active after 30 seconds".to_owned()))
}
