# What wakes somebody. Thresholds come from the pipelines' own settings.

locals {
  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]

  staged_age_seconds = { for name, pipeline in module.inputs.pipelines : name =>
    pipeline.staged_age_alarm == null ? local.seconds[pipeline.longest_delay] + 1800 : local.seconds[pipeline.staged_age_alarm]
  }

  # The compactor tells each pipeline's staged age at each run, so silence means that it does not run. A period holds a run at least; when
  # the next one is due is known of rate(...) only.
  runs_every     = try(tonumber(local.rate.count) * local.rate_seconds[local.rate.unit], null)
  rate           = try(regex("^rate\\((?P<count>[0-9]+) (?P<unit>minute|hour|day)s?\\)$", module.inputs.compactor.schedule), null)
  rate_seconds   = { minute = 60, hour = 3600, day = 86400 }
  staged_period  = coalesce(local.runs_every, 60)
  staged_silence = local.runs_every == null ? "notBreaching" : "breaching"
  # Alone it is silent while it is at work, as long as its time-out.
  staged_periods = 5 + (module.inputs.compactor.reserved_concurrency == 1 ? ceil(module.inputs.compactor.timeout / local.staged_period) : 0)

  # Silence of a pipeline that was made a moment ago means nothing. CloudWatch knows no age; but the compactor tells something of each pipeline
  # at each run, so one that is told of in each of so many hours is as old as that. Where it may not run within an hour that cannot be seen.
  watched_for_drops = { for name, pipeline in module.inputs.pipelines : name => pipeline.no_drops_hours if pipeline.no_drops_hours != null }
  tells_hourly      = try(local.runs_every <= 1800, false)

  fed_queues = {
    queue       = { name = local.names.queue, seconds = 3 * local.visibility_seconds.queue }
    large_queue = { name = local.names.large_queue, seconds = 3 * local.visibility_seconds.large_queue }
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Messages that could not be handled lie in ${local.names.dead_letter_queue}: look at them, mend the cause, redrive them."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.names.dead_letter_queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each = local.fed_queues

  alarm_name          = "${each.value.name}-oldest-message"
  alarm_description   = "A notification has waited in ${each.value.name} for more than three visibility time-outs: drops are not being ingested."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# What waits for something that passes is sent anew for ever and becomes no dead letter. One drop that waits is sent anew after six receives,
# which wait up to five minutes each and gather for ingest.batch_window: every half hour by default, once an hour at most. One that the function
# for large drops cannot read in time takes that time at each receive: up to an hour and a half, so of any five hours three see it. What passed
# within an hour is seen in two hours, so this rings from the third.
resource "aws_cloudwatch_metric_alarm" "renewed" {
  for_each = module.inputs.pipelines

  alarm_name          = "${var.name}-renewed-${each.key}"
  alarm_description   = "Drops of the pipeline ${each.key} have been sent anew for hours: denied, throttled, too slow to be read in the time of ${local.names.ingest_large}, or the pipeline is closed. They are not lost, and go on when that is mended: look at the logs of ${local.names.ingest} and ${local.names.ingest_large}."
  namespace           = "Lithify"
  metric_name         = "Renewed"
  dimensions          = { pipeline = each.key }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "staged_age" {
  for_each = module.inputs.pipelines

  alarm_name          = "${var.name}-staged-age-${each.key}"
  alarm_description   = "Rows of the pipeline ${each.key} are staged and do not reach the table, or the compactor does not run: look at its schedule and its log."
  namespace           = "Lithify"
  metric_name         = "StagedAge"
  dimensions          = { pipeline = each.key }
  statistic           = "Maximum"
  period              = local.staged_period
  evaluation_periods  = local.staged_periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = local.staged_age_seconds[each.key]
  treat_missing_data  = local.staged_silence
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  # Not before there is something to see.
  depends_on = [aws_lambda_invocation.open, aws_cloudwatch_event_target.schedule]
}

# Of pipelines that the settings lack, so of none that could have an alarm of its own. A `lithify run` with the same ledger has such a pipeline
# too while it works: one telling is not enough, where it is known when the next one is due.
resource "aws_cloudwatch_metric_alarm" "staged_of_removed" {
  alarm_name          = "${var.name}-staged-of-removed"
  alarm_description   = "Rows of a pipeline that was removed are staged and reach no table: the log of ${local.names.compactor} names it; put it back, apply, and commit what waits."
  namespace           = "Lithify"
  metric_name         = "StagedOfRemoved"
  dimensions          = {}
  statistic           = "Maximum"
  period              = local.runs_every == null ? 86400 : max(600, local.staged_period)
  evaluation_periods  = local.runs_every == null ? 1 : 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "no_drops" {
  for_each = local.watched_for_drops

  alarm_name          = "${var.name}-no-drops-${each.key}"
  alarm_description   = "The pipeline ${each.key} has had no drops for ${each.value} hours: has the producer stopped?${local.tells_hourly ? " Calls nobody: ${var.name}-drops-stopped-${each.key} does, once the pipeline is as old as that." : ""}"
  namespace           = "Lithify"
  metric_name         = "Drops"
  dimensions          = { pipeline = each.key }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = each.value
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.tells_hourly ? [] : local.alarm_actions
  ok_actions          = local.tells_hourly ? [] : local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "new" {
  for_each = local.tells_hourly ? local.watched_for_drops : {}

  alarm_name          = "${var.name}-new-${each.key}"
  alarm_description   = "The pipeline ${each.key} is younger than ${each.value} hours, or the compactor did not run in one of them. Calls nobody: it keeps ${var.name}-drops-stopped-${each.key} silent."
  namespace           = "Lithify"
  metric_name         = "StagedAge"
  dimensions          = { pipeline = each.key }
  statistic           = "SampleCount"
  period              = 3600
  evaluation_periods  = each.value
  datapoints_to_alarm = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
}

resource "aws_cloudwatch_composite_alarm" "drops_stopped" {
  for_each = local.tells_hourly ? local.watched_for_drops : {}

  alarm_name        = "${var.name}-drops-stopped-${each.key}"
  alarm_description = "The pipeline ${each.key} has had no drops for ${each.value} hours: has the producer stopped?"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.no_drops[each.key].alarm_name}\") AND OK(\"${aws_cloudwatch_metric_alarm.new[each.key].alarm_name}\")"
  alarm_actions     = local.alarm_actions
  ok_actions        = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.functions

  alarm_name          = "${each.value.name}-errors"
  alarm_description   = "Invocations of ${each.value.name} fail: look at its log."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = each.value.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  for_each = local.functions

  alarm_name          = "${each.value.name}-throttles"
  alarm_description   = "Invocations of ${each.value.name} are refused for want of concurrency: raise the account's or the function's."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = each.value.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}
