# The ledger: the record of drops and batches, kept for ever.

resource "aws_dynamodb_table" "ledger" {
  name         = local.names.ledger
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  attribute {
    name = "pk"
    type = "S"
  }
  attribute {
    name = "sk"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = local.key_arn
  }

  deletion_protection_enabled = var.ledger_deletion_protection
}
