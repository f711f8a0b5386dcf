# What must hold whatever the values: time-outs against claims, encryption, filters. Nothing is deployed: the provider is a mock.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
  pipelines = {
    orders    = { source = "s3://vendor-drops/orders/", table = "s3://lake/tables/orders", no_drops_hours = 6 }
    customers = { source = "s3://vendor-drops/customers/", table = "s3://lake/tables/customers/", longest_delay = "1h30m" }
    clicks    = { source = "s3://web/", table = "s3://lake/tables/clicks", overwrites = "ingest", staged_age_alarm = "2h" }
  }
  make_buckets = ["web", "lake"]
}

run "queues" {
  command = apply

  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds >= 6 * module.function["ingest"].facts.timeout + aws_lambda_event_source_mapping.queue["ingest"].maximum_batching_window_in_seconds
    error_message = "The queue's visibility is under six times its function's time-out and the time in which a batch gathers."
  }
  assert {
    condition     = aws_sqs_queue.large.visibility_timeout_seconds >= 6 * module.function["ingest_large"].facts.timeout + aws_lambda_event_source_mapping.queue["ingest_large"].maximum_batching_window_in_seconds
    error_message = "The large queue's visibility is under six times its function's time-out and the time in which a batch gathers."
  }
  assert {
    condition = alltrue([for queue in [aws_sqs_queue.queue, aws_sqs_queue.large] : alltrue([for role in ["ingest", "ingest_large"] :
    queue.visibility_timeout_seconds > tonumber(trimsuffix(module.function[role].facts.environment.LITHIFY_CLAIM_TIME, "s"))])])
    error_message = "A queue's visibility is not above the claim time: a redelivered message would find the claims of a dead invocation young."
  }
  assert {
    condition = alltrue([for role in ["ingest", "ingest_large"] : alltrue([for other in ["ingest", "ingest_large"] :
    tonumber(trimsuffix(module.function[role].facts.environment.LITHIFY_CLAIM_TIME, "s")) >= module.function[other].facts.timeout + 60])])
    error_message = "The claim time is not a minute above the time-out of every function that claims."
  }
  assert {
    condition     = module.function["ingest"].facts.timeout == 120 && module.function["ingest_large"].facts.timeout == 900 && aws_sqs_queue.queue.visibility_timeout_seconds == 1020 && aws_sqs_queue.large.visibility_timeout_seconds == 5400
    error_message = "The default time-outs are not the agreed ones."
  }
  assert {
    condition = alltrue([for queue in [aws_sqs_queue.queue, aws_sqs_queue.large] :
    jsondecode(queue.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-central-1:123456789012:lithify-dead-letters" && jsondecode(queue.redrive_policy).maxReceiveCount == 12])
    error_message = "A queue does not redrive to the dead-letter queue."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.name == "lithify-dead-letters" && toset(jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy).sourceQueueArns) == toset([for name in ["lithify", "lithify-large"] : "arn:aws:sqs:eu-central-1:123456789012:${name}"]) && jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "The dead-letter queue is absent or takes from others than our two queues."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds >= aws_sqs_queue.queue.message_retention_seconds && aws_sqs_queue.dead_letters.message_retention_seconds >= aws_sqs_queue.large.message_retention_seconds
    error_message = "A message would be deleted soon after it became a dead letter."
  }
  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.queue, aws_sqs_queue.large, aws_sqs_queue.dead_letters] : queue.sqs_managed_sse_enabled])
    error_message = "A queue is not encrypted."
  }
  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.queue : contains(mapping.function_response_types, "ReportBatchItemFailures")]) && length(aws_lambda_event_source_mapping.queue) == 2
    error_message = "A mapping does not take partial batch responses."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue["ingest"].event_source_arn == "arn:aws:sqs:eu-central-1:123456789012:lithify" && aws_lambda_event_source_mapping.queue["ingest_large"].event_source_arn == "arn:aws:sqs:eu-central-1:123456789012:lithify-large"
    error_message = "A function is fed by the wrong queue."
  }
  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.queue : mapping.batch_size <= 10 || mapping.maximum_batching_window_in_seconds >= 1]) && aws_lambda_event_source_mapping.queue["ingest_large"].batch_size == 1
    error_message = "Lambda refuses a batch of more than 10 without a window; a large drop comes alone."
  }
  assert {
    condition     = { for name, mapping in aws_lambda_event_source_mapping.queue : name => mapping.scaling_config[0].maximum_concurrency } == { ingest = 10, ingest_large = 5 }
    error_message = "The most invocations at once are not the agreed ones."
  }
}

run "slow_ingest" {
  command = apply
  variables {
    ingest       = { timeout = 300, batch_window = 300, concurrency_max = 7, reserved_concurrency = 7 }
    ingest_large = { timeout = 600, concurrency_max = 3, reserved_concurrency = 4 }
  }

  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds == 6 * 300 + 300 && aws_sqs_queue.large.visibility_timeout_seconds == 6 * 600
    error_message = "The visibility does not follow the time-outs and the time in which a batch gathers."
  }
  assert {
    condition     = { for name, mapping in aws_lambda_event_source_mapping.queue : name => mapping.scaling_config[0].maximum_concurrency } == { ingest = 7, ingest_large = 3 }
    error_message = "The most invocations at once are not those that were chosen."
  }
  assert {
    condition     = module.function["ingest"].facts.environment.LITHIFY_CLAIM_TIME == "660s" && module.function["ingest_large"].facts.environment.LITHIFY_CLAIM_TIME == "660s"
    error_message = "The claim time does not follow the time-outs."
  }
}

run "chosen_concurrency_and_log" {
  command = apply
  variables {
    ingest       = { reserved_concurrency = 31 }
    ingest_large = { reserved_concurrency = 17 }
    compactor    = { reserved_concurrency = 3 }
    log_filter   = "warn,ingest=debug"
  }

  assert {
    condition     = { for name, function in module.function : name => function.facts.concurrency } == { ingest = 31, ingest_large = 17, compactor = 3 }
    error_message = "A function's reserved concurrency is not the one that was chosen."
  }
  assert {
    condition     = alltrue([for function in module.function : function.facts.environment.LITHIFY_LOG == "warn,ingest=debug"]) && length(module.function) == 3
    error_message = "A function does not log what was chosen."
  }
}

run "functions" {
  command = apply

  assert {
    condition     = alltrue([for function in module.function : function.facts.architectures == tolist(["arm64"]) && function.facts.runtime == "provided.al2023"])
    error_message = "arm64 is not the default."
  }
  assert {
    condition     = alltrue([for function in module.function : function.facts.log_retention_days == 30])
    error_message = "A log is kept for ever."
  }
  # Without a reservation, and with no limit but the account's: a limit of 0 would switch the function off.
  assert {
    condition     = alltrue([for function in module.function : function.facts.concurrency == -1 && function.facts.environment.LITHIFY_LOG == "info"])
    error_message = "Where nothing was chosen a function has a limit, or logs something else than info."
  }
  assert {
    condition     = alltrue([for function in module.function : function.facts.environment.LITHIFY_SETTINGS == "s3://lake/_lithify/lithify/settings.json"]) && length(module.function) == 3
    error_message = "A function does not know its settings."
  }
  assert {
    condition     = lookup(module.function["ingest_large"].facts.environment, "LITHIFY_LARGE", "0") == "1" && lookup(module.function["ingest"].facts.environment, "LITHIFY_LARGE", "0") == "0"
    error_message = "The function for large drops would send them to its own queue, round and round."
  }
  assert {
    condition     = alltrue([for function in module.function : function.facts.environment.LITHIFY_SETTINGS_DIGEST == sha256(aws_s3_object.settings.content)])
    error_message = "A warm function would keep old settings."
  }
  assert {
    condition     = jsondecode(aws_lambda_invocation.open.input) == { open = true, pipelines = ["clicks", "customers", "orders"] } && aws_lambda_invocation.open.triggers.settings == sha256(aws_s3_object.settings.content)
    error_message = "The pipelines are not opened at each change of the settings."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.schedule["compact"].schedule_expression == "rate(1 minute)" && aws_cloudwatch_event_target.schedule["compact"].input == null && jsondecode(aws_cloudwatch_event_target.schedule["upkeep"].input) == { upkeep = true }
    error_message = "The compactor's schedules are not the agreed ones."
  }
  assert {
    condition     = alltrue([for permission in aws_lambda_permission.schedule : permission.principal == "events.amazonaws.com" && permission.source_arn != null])
    error_message = "Others than our schedules may invoke the compactor."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.compactor.maximum_retry_attempts == 0
    error_message = "Failed scheduled invocations would be repeated and pile up."
  }
  assert {
    condition = { for name, config in aws_lambda_function_event_invoke_config.ingest : name => [config.function_name, config.destination_config[0].on_failure[0].destination] } == {
      ingest       = ["lithify-ingest", "arn:aws:sqs:eu-central-1:123456789012:lithify-dead-letters"]
      ingest_large = ["lithify-ingest-large", "arn:aws:sqs:eu-central-1:123456789012:lithify-dead-letters"]
    }
    error_message = "An event that was sent to a function directly would be lost when its tries are used up."
  }
  assert {
    condition     = alltrue([for config in aws_lambda_function_event_invoke_config.ingest : config.maximum_retry_attempts == 2 && config.maximum_event_age_in_seconds == 21600])
    error_message = "A direct event is tried as often and for as long as Lambda can."
  }
}

run "code" {
  command = plan

  assert {
    condition     = aws_s3_object.code["ingest"].bucket == "lake" && aws_s3_object.code["ingest"].key == "_lithify/lithify/code/ingest-${filesha256("tests/fixtures/function.zip")}.zip" && startswith(aws_s3_object.code["compactor"].key, "_lithify/lithify/code/compactor-")
    error_message = "The packed functions do not lie beside the settings, under a key that names what lies there."
  }
}

run "x86" {
  command = apply
  variables {
    architecture = "x86_64"
  }

  assert {
    condition     = alltrue([for function in module.function : function.facts.architectures == tolist(["x86_64"])])
    error_message = "The architecture is not taken over."
  }
}

run "ledger" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.ledger.point_in_time_recovery[0].enabled && aws_dynamodb_table.ledger.server_side_encryption[0].enabled && aws_dynamodb_table.ledger.deletion_protection_enabled
    error_message = "The ledger can be lost: recovery, encryption or deletion protection is off."
  }
  assert {
    condition     = aws_dynamodb_table.ledger.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.ledger.hash_key == "pk" && aws_dynamodb_table.ledger.range_key == "sk" && alltrue([for attribute in aws_dynamodb_table.ledger.attribute : attribute.type == "S"])
    error_message = "The ledger's keys or its billing are not the agreed ones."
  }
}

run "notifications" {
  command = apply

  assert {
    condition = { for queue in aws_s3_bucket_notification.source["vendor-drops"].queue : queue.id => queue.filter_prefix } == {
      "lithify-orders"    = "orders/"
      "lithify-customers" = "customers/"
    }
    error_message = "Not every pipeline's prefix is notified."
  }
  assert {
    condition     = length(aws_s3_bucket_notification.source["web"].queue) == 1 && aws_s3_bucket_notification.source["web"].queue[0].filter_prefix == null
    error_message = "A source that is a whole bucket has no filter."
  }
  assert {
    condition     = alltrue(flatten([for bucket in aws_s3_bucket_notification.source : [for queue in bucket.queue : queue.queue_arn == "arn:aws:sqs:eu-central-1:123456789012:lithify" && queue.events == toset(["s3:ObjectCreated:*"])]])) && length(aws_s3_bucket_notification.source) == 2
    error_message = "Every way of creating an object is a drop, told to our queue."
  }
  assert {
    condition     = length(aws_cloudwatch_event_rule.arrival) == 0
    error_message = "Drops would be notified twice."
  }
}

run "eventbridge" {
  command = apply
  variables {
    event_delivery = "eventbridge"
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_notification.source : bucket.eventbridge && length(bucket.queue) == 0])
    error_message = "EventBridge is not switched on, or drops would be notified twice."
  }
  assert {
    condition = { for name, rule in aws_cloudwatch_event_rule.arrival : name => jsondecode(rule.event_pattern).detail } == {
      orders    = { bucket = { name = ["vendor-drops"] }, object = { key = [{ prefix = "orders/" }] } }
      customers = { bucket = { name = ["vendor-drops"] }, object = { key = [{ prefix = "customers/" }] } }
      clicks    = { bucket = { name = ["web"] } }
    }
    error_message = "Not every pipeline has its rule."
  }
  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.arrival : target.arn == "arn:aws:sqs:eu-central-1:123456789012:lithify" && target.dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:123456789012:lithify-dead-letters"]) && length(aws_cloudwatch_event_target.arrival) == 3
    error_message = "A rule does not lead to the queue, or loses what it cannot deliver."
  }
  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.arrival : startswith(rule.name, "lithify-arrival-")])
    error_message = "The queue's policy does not know the rule."
  }
}

# While one way gives way to the other.
run "both" {
  command = apply
  variables {
    event_delivery = "both"
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_notification.source : bucket.eventbridge]) && length(aws_s3_bucket_notification.source["vendor-drops"].queue) == 2 && length(aws_cloudwatch_event_target.arrival) == 3
    error_message = "One of the two ways is missing."
  }
  assert {
    condition     = [for statement in jsondecode(aws_sqs_queue.queue.policy).Statement : statement.Principal if statement.Effect == "Allow"] == [{ Service = "s3.amazonaws.com" }, { Service = "events.amazonaws.com" }]
    error_message = "The queue does not take from both."
  }
}

run "notifications_by_others" {
  command = apply
  variables {
    manage_notifications = false
  }

  assert {
    condition     = length(aws_s3_bucket_notification.source) == 0
    error_message = "The buckets' own notifications would be replaced."
  }
}

run "buckets" {
  command = apply

  assert {
    condition     = toset([for bucket in aws_s3_bucket.made : bucket.bucket]) == toset(["web", "lake"])
    error_message = "The wrong buckets are made."
  }
  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.made : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.made) == 2
    error_message = "A made bucket could be opened to the public."
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_server_side_encryption_configuration.made : one(one(bucket.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"]) && length(aws_s3_bucket_server_side_encryption_configuration.made) == 2
    error_message = "A made bucket is not encrypted."
  }
  assert {
    condition     = keys(aws_s3_bucket_versioning.made) == ["web"]
    error_message = "Overwritten objects of a made bucket are kept where, and only where, they are ingested."
  }
  assert {
    condition     = alltrue(flatten([for bucket in aws_s3_bucket_lifecycle_configuration.made : [for rule in bucket.rule : length(rule.expiration) == 0 && length(rule.transition) == 0]]))
    error_message = "A rule would delete staged files."
  }
  assert {
    condition = { for name, bucket in aws_s3_bucket_lifecycle_configuration.made : name => [for rule in bucket.rule : [rule.status, rule.abort_incomplete_multipart_upload[0].days_after_initiation]] } == {
      web  = [["Enabled", 7]]
      lake = [["Enabled", 7]]
    }
    error_message = "Parts of uploads that never ended would be kept, and paid for, for ever."
  }
}

run "own_key" {
  command = apply
  variables {
    kms_key = "make"
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.queue, aws_sqs_queue.large, aws_sqs_queue.dead_letters] : queue.kms_master_key_id == aws_kms_key.made[0].arn])
    error_message = "A queue does not use the key."
  }
  assert {
    condition     = aws_dynamodb_table.ledger.server_side_encryption[0].kms_key_arn == aws_kms_key.made[0].arn && aws_kms_key.made[0].enable_key_rotation
    error_message = "The ledger does not use the key."
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_server_side_encryption_configuration.made : one(one(bucket.rule).apply_server_side_encryption_by_default).kms_master_key_id == aws_kms_key.made[0].arn])
    error_message = "A made bucket does not use the key."
  }
  assert {
    condition     = alltrue([for function in module.function : contains(flatten([for statement in jsondecode(function.facts.policies[0]).Statement : statement.Resource]), aws_kms_key.made[0].arn)])
    error_message = "A function may not use the key."
  }
  assert {
    condition     = strcontains(aws_kms_key.made[0].policy, "s3.amazonaws.com") && strcontains(aws_kms_key.made[0].policy, "logs.eu-central-1.amazonaws.com")
    error_message = "S3 or the logs may not use the key."
  }
}
