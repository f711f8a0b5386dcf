# Where the settings lie from one apply to the next: the runs share a state.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
}

run "at_first" {
  command = apply
  variables {
    pipelines = { orders = { source = "s3://drops/orders/", table = "s3://lake/orders" } }
  }

  assert {
    condition     = output.settings == "s3://lake/_lithify/lithify/settings.json"
    error_message = "The settings do not lie in the bucket of the first table."
  }
}

run "a_pipeline_that_sorts_first_moves_nothing" {
  command = apply
  variables {
    pipelines = {
      clicks = { source = "s3://web/", table = "s3://another/clicks" }
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
    }
  }

  assert {
    condition     = output.settings == "s3://lake/_lithify/lithify/settings.json" && alltrue([for function in module.function : function.facts.environment.LITHIFY_SETTINGS == "s3://lake/_lithify/lithify/settings.json"])
    error_message = "The settings moved: functions that are not updated yet would look for them in vain."
  }
  assert {
    condition     = alltrue([for code in aws_s3_object.code : code.bucket == "lake"])
    error_message = "The packed functions moved."
  }
}

run "a_bucket_without_tables_is_left" {
  command = apply
  variables {
    pipelines = { clicks = { source = "s3://web/", table = "s3://another/clicks" } }
  }

  assert {
    condition     = output.settings == "s3://another/_lithify/lithify/settings.json"
    error_message = "The settings stay in a bucket that the pipelines have left."
  }
}

run "an_address_that_is_given_holds" {
  command = apply
  variables {
    settings_address = "s3://config/lithify.json"
    pipelines        = { clicks = { source = "s3://web/", table = "s3://another/clicks" } }
  }

  assert {
    condition     = output.settings == "s3://config/lithify.json"
    error_message = "The settings do not lie where they were wanted."
  }
}

# What no plan shows: objects that functions need are deleted only after the functions know of the new ones.
run "the_old_goes_last" {
  command = plan
  module {
    source = "./tests/sources"
  }

  assert {
    condition     = toset(output.replaced_gently) == toset(["aws_cloudwatch_event_rule.arrival", "aws_cloudwatch_event_target.arrival", "aws_s3_object.code", "aws_s3_object.settings"])
    error_message = "Made anew before the old one goes: ${join(", ", output.replaced_gently)}."
  }
}

# Nor does a plan show an order. S3 and the rules speak of a pipeline's drops only after the settings name it: ingest acknowledges what is
# nobody's. And the rules are there before a notification that leaves the queue out.
run "the_word_comes_after_what_understands_it" {
  command = plan
  module {
    source = "./tests/sources"
  }

  assert {
    condition     = length(setsubtract(["aws_s3_object.settings", "aws_sqs_queue.queue", "aws_cloudwatch_event_target.arrival", "aws_s3_bucket.made"], output.waits_for["aws_s3_bucket_notification.source"])) == 0
    error_message = "A bucket's notification waits for ${join(", ", output.waits_for["aws_s3_bucket_notification.source"])} only."
  }
  assert {
    condition     = contains(output.waits_for["aws_cloudwatch_event_rule.arrival"], "aws_s3_object.settings")
    error_message = "A rule waits for ${join(", ", output.waits_for["aws_cloudwatch_event_rule.arrival"])} only."
  }
  assert {
    condition     = length(setsubtract(["aws_s3_object.settings", "aws_sqs_queue.queue", "aws_sqs_queue.dead_letters"], output.waits_for["aws_cloudwatch_event_target.arrival"])) == 0
    error_message = "A rule's target waits for ${join(", ", output.waits_for["aws_cloudwatch_event_target.arrival"])} only."
  }
  # A queue feeds no function before the pipelines are open: until then each delivery would be in vain. A mocked provider
  # takes either order, and a plan names none, so the text is read.
  assert {
    condition     = contains(output.waits_for["aws_lambda_event_source_mapping.queue"], "aws_lambda_invocation.open")
    error_message = "The queues feed the functions after ${join(", ", output.waits_for["aws_lambda_event_source_mapping.queue"])} only."
  }
  # A function without its policy is denied everything: the first invocation, that of `open`, would fail the apply. No plan shows that either.
  assert {
    condition     = output.waits_for["modules/function: aws_lambda_function.function"] == tolist(["aws_iam_role_policy.policy"])
    error_message = "A function may start before it has its policy: it waits for ${join(", ", output.waits_for["modules/function: aws_lambda_function.function"])} only."
  }
  # What waits for nothing by name is read as such, or the above would hold of anything.
  assert {
    condition     = output.waits_for["aws_dynamodb_table.ledger"] == tolist([]) && output.waits_for["aws_sqs_queue.large"] == tolist(["aws_sqs_queue.dead_letters"])
    error_message = "The sources are not read as they are."
  }
}
