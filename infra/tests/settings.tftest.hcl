# The settings object: what the functions will read.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_sqs_queue.queue
  values = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify" }
}
override_resource {
  target = aws_sqs_queue.large
  values = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify-large" }
}
override_resource {
  target = aws_sqs_queue.dead_letters
  values = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify-dead-letters" }
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
}

run "every_key" {
  command = apply
  variables {
    ingest_large = { drop_size = "32MiB" }
    pipelines = {
      orders = {
        source            = "s3://vendor-drops/orders/"
        table             = "s3://lake/tables/orders/"
        format            = "json"
        compression       = "gzip"
        schema_hints      = "price double"
        cluster_by        = ["a"]
        partition_columns = ["day"]
        target_file_size  = "256MiB"
        longest_delay     = "10m"
        append_existing   = true
        overwrites        = "ingest"
        no_drops_hours    = 3
      }
    }
  }

  assert {
    condition = jsondecode(aws_s3_object.settings.content) == {
      ledger            = "dynamodb://lithify-ledger"
      queue             = "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify"
      large_queue       = "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify-large"
      dead_letter_queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/lithify-dead-letters"
      large_drop_size   = "32MiB"
      target_file_size  = "128MiB"
      longest_delay     = "5m"
      pipelines = [{
        name              = "orders"
        source            = "s3://vendor-drops/orders/"
        table             = "s3://lake/tables/orders"
        format            = "json"
        compression       = "gzip"
        schema_hints      = "price double"
        cluster_by        = ["a"]
        z_order_by        = null
        partition_columns = ["day"]
        target_file_size  = "256MiB"
        longest_delay     = "10m"
        append_existing   = true
        overwrites        = "ingest"
      }]
    }
    error_message = "The settings are not what was given."
  }
  assert {
    condition     = aws_s3_object.settings.bucket == "lake" && aws_s3_object.settings.key == "_lithify/lithify/settings.json" && output.settings == "s3://lake/_lithify/lithify/settings.json"
    error_message = "The settings lie elsewhere."
  }
}

run "defaults" {
  command = apply
  variables {
    settings_address = "s3://config/lithify/settings.json"
    pipelines = {
      b = { source = "s3://drops/b/", table = "s3://lake/b", partition_columns = [] }
      a = { source = "s3://drops/a/", table = "s3://lake/b" }
    }
  }

  assert {
    condition = jsondecode(aws_s3_object.settings.content).pipelines == [for name in ["a", "b"] : {
      name              = name
      source            = "s3://drops/${name}/"
      table             = "s3://lake/b"
      format            = null
      compression       = null
      schema_hints      = null
      cluster_by        = null
      z_order_by        = null
      partition_columns = null
      target_file_size  = "128MiB"
      longest_delay     = "5m"
      append_existing   = false
      overwrites        = "ignore"
    }]
    error_message = "What was left away is not null, or has another default."
  }
  assert {
    condition     = aws_s3_object.settings.bucket == "config" && aws_s3_object.settings.key == "lithify/settings.json" && startswith(aws_s3_object.code["ingest"].key, "lithify/code/ingest-")
    error_message = "The settings do not lie where they were wanted."
  }
}
