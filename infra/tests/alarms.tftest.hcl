# Every alarm and graph as CloudWatch will have it, written out: a wrong name or comparison is silence, and silence looks like health.
# tests/metrics.rs holds the names of our own metrics against the code that sends them.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
  pipelines = {
    orders    = { source = "s3://vendor-drops/orders/", table = "s3://lake/tables/orders", no_drops_hours = 6 }
    customers = { source = "s3://vendor-drops/customers/", table = "s3://lake/tables/customers/", longest_delay = "1h30m" }
    clicks    = { source = "s3://web/", table = "s3://lake/tables/clicks", staged_age_alarm = "2h" }
  }
  alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:pager"
}

# [namespace, metric, dimensions, statistic, seconds, periods, comparison, threshold, missing data]
run "alarms" {
  command = plan

  assert {
    condition = { for alarm in concat([aws_cloudwatch_metric_alarm.dead_letters, aws_cloudwatch_metric_alarm.staged_of_removed], flatten([for several in [
      aws_cloudwatch_metric_alarm.oldest_message, aws_cloudwatch_metric_alarm.renewed, aws_cloudwatch_metric_alarm.staged_age, aws_cloudwatch_metric_alarm.no_drops,
      aws_cloudwatch_metric_alarm.new, aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.throttles,
      ] : values(several)])) : alarm.alarm_name => join(" ", concat([alarm.namespace, alarm.metric_name], [for name, value in coalesce(alarm.dimensions, {}) : "${name}=${value}"],
      [alarm.statistic, alarm.period, alarm.evaluation_periods, alarm.comparison_operator, alarm.threshold, alarm.treat_missing_data])) } == {
      "lithify-dead-letters"           = "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=lithify-dead-letters Maximum 60 1 GreaterThanThreshold 0 notBreaching"
      "lithify-oldest-message"         = "AWS/SQS ApproximateAgeOfOldestMessage QueueName=lithify Maximum 60 5 GreaterThanThreshold 3060 notBreaching"
      "lithify-large-oldest-message"   = "AWS/SQS ApproximateAgeOfOldestMessage QueueName=lithify-large Maximum 60 5 GreaterThanThreshold 16200 notBreaching"
      "lithify-renewed-orders"         = "Lithify Renewed pipeline=orders Sum 3600 5 GreaterThanThreshold 0 notBreaching"
      "lithify-renewed-customers"      = "Lithify Renewed pipeline=customers Sum 3600 5 GreaterThanThreshold 0 notBreaching"
      "lithify-renewed-clicks"         = "Lithify Renewed pipeline=clicks Sum 3600 5 GreaterThanThreshold 0 notBreaching"
      "lithify-staged-of-removed"      = "Lithify StagedOfRemoved Maximum 600 3 GreaterThanThreshold 0 notBreaching"
      "lithify-staged-age-orders"      = "Lithify StagedAge pipeline=orders Maximum 60 5 GreaterThanThreshold 2100 breaching"
      "lithify-staged-age-customers"   = "Lithify StagedAge pipeline=customers Maximum 60 5 GreaterThanThreshold 7200 breaching"
      "lithify-staged-age-clicks"      = "Lithify StagedAge pipeline=clicks Maximum 60 5 GreaterThanThreshold 7200 breaching"
      "lithify-no-drops-orders"        = "Lithify Drops pipeline=orders Sum 3600 6 LessThanThreshold 1 breaching"
      "lithify-new-orders"             = "Lithify StagedAge pipeline=orders SampleCount 3600 6 LessThanThreshold 1 breaching"
      "lithify-ingest-errors"          = "AWS/Lambda Errors FunctionName=lithify-ingest Sum 300 1 GreaterThanThreshold 0 notBreaching"
      "lithify-ingest-large-errors"    = "AWS/Lambda Errors FunctionName=lithify-ingest-large Sum 300 1 GreaterThanThreshold 0 notBreaching"
      "lithify-compactor-errors"       = "AWS/Lambda Errors FunctionName=lithify-compactor Sum 300 1 GreaterThanThreshold 0 notBreaching"
      "lithify-ingest-throttles"       = "AWS/Lambda Throttles FunctionName=lithify-ingest Sum 300 3 GreaterThanThreshold 0 notBreaching"
      "lithify-ingest-large-throttles" = "AWS/Lambda Throttles FunctionName=lithify-ingest-large Sum 300 3 GreaterThanThreshold 0 notBreaching"
      "lithify-compactor-throttles"    = "AWS/Lambda Throttles FunctionName=lithify-compactor Sum 300 3 GreaterThanThreshold 0 notBreaching"
    }
    error_message = "An alarm is missing, is one too many or looks at something else."
  }
  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.staged_age), values(aws_cloudwatch_composite_alarm.drops_stopped), values(aws_cloudwatch_metric_alarm.errors),
      values(aws_cloudwatch_metric_alarm.throttles), values(aws_cloudwatch_metric_alarm.oldest_message), values(aws_cloudwatch_metric_alarm.renewed),
      [aws_cloudwatch_metric_alarm.dead_letters, aws_cloudwatch_metric_alarm.staged_of_removed]) :
    alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:pager"]) && alarm.ok_actions == toset(["arn:aws:sns:eu-central-1:123456789012:pager"])])
    error_message = "An alarm wakes nobody, or nobody hears of its end."
  }
}

# A pipeline that was made a moment ago has had no drops, and nobody needs to hear of it.
run "a_new_pipeline_does_not_ring" {
  command = plan

  assert {
    condition     = { for alarm in aws_cloudwatch_composite_alarm.drops_stopped : alarm.alarm_name => alarm.alarm_rule } == { "lithify-drops-stopped-orders" = "ALARM(\"lithify-no-drops-orders\") AND OK(\"lithify-new-orders\")" }
    error_message = "The alarm on silence does not look at how old the pipeline is."
  }
  # One hour without a word of the pipeline, which may be before it was made, is enough.
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.new : alarm.datapoints_to_alarm == 1])
    error_message = "A pipeline is taken for old before it is."
  }
  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.no_drops), values(aws_cloudwatch_metric_alarm.new)) : length(coalesce(alarm.alarm_actions, [])) + length(coalesce(alarm.ok_actions, [])) == 0])
    error_message = "A part of the alarm on silence calls somebody by itself."
  }
}

run "silence_where_the_age_cannot_be_seen" {
  command = plan
  variables {
    compactor = { schedule = "rate(1 hour)" }
  }

  assert {
    condition     = length(aws_cloudwatch_composite_alarm.drops_stopped) == 0 && length(aws_cloudwatch_metric_alarm.new) == 0 && alltrue([for alarm in aws_cloudwatch_metric_alarm.no_drops : alarm.alarm_actions == toset([var.alarm_topic_arn])]) && length(aws_cloudwatch_metric_alarm.no_drops) == 1
    error_message = "Silence would not be told, or be waited on for ever."
  }
}

run "silence_with_a_schedule_by_the_clock" {
  command = plan
  variables {
    compactor = { schedule = "cron(0 * * * ? *)" }
  }

  assert {
    condition     = length(aws_cloudwatch_composite_alarm.drops_stopped) == 0 && alltrue([for alarm in aws_cloudwatch_metric_alarm.no_drops : alarm.alarm_actions == toset([var.alarm_topic_arn])])
    error_message = "Silence would not be told, or be waited on for ever."
  }
}

# The runs above name all that there are.
run "no_other_alarm" {
  command = plan
  module {
    source = "./tests/sources"
  }

  assert {
    condition     = toset([for name in keys(output.waits_for) : name if strcontains(name, "alarm")]) == toset(concat(["aws_cloudwatch_composite_alarm.drops_stopped"], [for name in ["dead_letters", "oldest_message", "renewed", "staged_of_removed", "staged_age", "no_drops", "new", "errors", "throttles"] : "aws_cloudwatch_metric_alarm.${name}"]))
    error_message = "There are these alarms: ${join(", ", [for name in keys(output.waits_for) : name if strcontains(name, "alarm")])}."
  }
}

# A hiccup within an hour is seen in two periods; one drop that waits is sent anew every 6 x (300 s + the batching window) at the latest.
run "what_waits_for_hours_rings_and_a_hiccup_does_not" {
  command = plan
  variables {
    ingest = { batch_window = 300 }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.renewed : alarm.datapoints_to_alarm == 3 && alarm.period >= 6 * (300 + 300)]) && length(aws_cloudwatch_metric_alarm.renewed) == 3
    error_message = "The alarm on what is sent anew rings too soon, or not for a single drop."
  }
  # One that takes the whole time of the function for large drops at each of six receives.
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.renewed : alarm.evaluation_periods * alarm.period >= alarm.datapoints_to_alarm * 6 * 900])
    error_message = "The alarm on what is sent anew ends and begins again while a drop outlasts the function for large drops."
  }
}

# The alarm must not ring between two runs, whatever the schedule.
run "a_slow_schedule" {
  command = plan
  variables {
    compactor = { schedule = "rate(2 hours)" }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.staged_age : alarm.treat_missing_data == "breaching" && alarm.period == 7200 && alarm.evaluation_periods == 5])
    error_message = "The alarm on staged runs does not follow the schedule."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.staged_of_removed.period == 7200 && aws_cloudwatch_metric_alarm.staged_of_removed.evaluation_periods == 3
    error_message = "The alarm on what removed pipelines have staged would never see two tellings in a row."
  }
}

run "a_lone_compactor" {
  command = plan
  variables {
    compactor = { reserved_concurrency = 1, timeout = 600 }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.staged_age : alarm.period * alarm.evaluation_periods > 600 + 60])
    error_message = "The alarm on staged runs would ring while the only compactor is at work."
  }
}

run "a_schedule_by_the_clock" {
  command = plan
  variables {
    compactor = { schedule = "cron(0 2 * * ? *)" }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.staged_age : alarm.treat_missing_data == "notBreaching"])
    error_message = "When a cron schedule is due is not known: the alarm would ring between two runs."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.staged_of_removed.period == 86400 && aws_cloudwatch_metric_alarm.staged_of_removed.evaluation_periods == 1
    error_message = "The alarm on what removed pipelines have staged waits for runs that are not due."
  }
}

# [statistic, metrics without their pipeline, queue or function]
run "dashboard" {
  command = plan

  assert {
    condition = { for widget in jsondecode(aws_cloudwatch_dashboard.lithify.dashboard_body).widgets : widget.properties.title => join(" ", concat([widget.properties.stat], sort(distinct([for metric in widget.properties.metrics : join("/", slice(metric, 0, 3))])))) } == {
      "Drops"                                             = "Sum Lithify/Drops/pipeline"
      "Rows"                                              = "Sum Lithify/Rows/pipeline"
      "Bytes"                                             = "Sum Lithify/Bytes/pipeline"
      "Age of the oldest staged run (s)"                  = "Maximum Lithify/StagedAge/pipeline"
      "From S3 event to commit (ms, 99th percentile)"     = "p99 Lithify/EventToCommit/pipeline"
      "From S3 event to staged (ms, 99th percentile)"     = "p99 Lithify/EventToStaged/pipeline"
      "Rescued rows, quarantined drops and records"       = "Sum Lithify/QuarantinedDrops/pipeline Lithify/QuarantinedRecords/pipeline Lithify/RescuedRows/pipeline"
      "Duplicates, ignored overwrites, missing, left out" = "Sum Lithify/Duplicates/pipeline Lithify/IgnoredOverwrites/pipeline Lithify/LeftOut/pipeline Lithify/MissingObjects/pipeline"
      "Sent anew, waiting for what passes"                = "Sum Lithify/Renewed/pipeline"
      "Commits and files written"                         = "Sum Lithify/Commits/pipeline Lithify/FilesWritten/pipeline"
      "Messages waiting"                                  = "Maximum AWS/SQS/ApproximateNumberOfMessagesVisible/QueueName"
      "Age of the oldest message (s)"                     = "Maximum AWS/SQS/ApproximateAgeOfOldestMessage/QueueName"
      "Errors and throttles"                              = "Sum AWS/Lambda/Errors/FunctionName AWS/Lambda/Throttles/FunctionName"
      "Duration (ms, longest)"                            = "Maximum AWS/Lambda/Duration/FunctionName"
      "Invocations"                                       = "Sum AWS/Lambda/Invocations/FunctionName"
      "Ledger: units used"                                = "Sum AWS/DynamoDB/ConsumedReadCapacityUnits/TableName AWS/DynamoDB/ConsumedWriteCapacityUnits/TableName"
    }
    error_message = "A graph is missing, is one too many or shows something else."
  }
  # Each graph shows all that its dimension names.
  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.lithify.dashboard_body).widgets : alltrue([for kind in distinct([for metric in widget.properties.metrics : join("/", slice(metric, 0, 3))]) :
      contains([
        join(" ", ["clicks", "customers", "orders"]), join(" ", ["lithify-compactor", "lithify-ingest", "lithify-ingest-large"]), "lithify-ledger",
        join(" ", ["lithify", "lithify-large"]), join(" ", ["lithify", "lithify-dead-letters", "lithify-large"]),
    ], join(" ", sort([for metric in widget.properties.metrics : metric[3] if join("/", slice(metric, 0, 3)) == kind])))])])
    error_message = "A graph leaves a pipeline, a queue or a function out."
  }
  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.lithify.dashboard_body).widgets : alltrue([for metric in widget.properties.metrics : length(metric) == 4])])
    error_message = "A graph has a metric that CloudWatch does not read."
  }
}
