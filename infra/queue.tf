# S3's word of each drop: the queue, the queue of large drops, and what could not be handled.

locals {
  # A claim is old when no invocation can still be at work on it. A drop may pass from one function to the other, so one time holds for both.
  claim_seconds = max(module.inputs.ingest.timeout, module.inputs.ingest_large.timeout) + 60

  # Six times the time-out and the time in which a batch gathers: AWS asks so much of a queue that feeds a function. Above the claim time, so that a redelivered message finds the
  # claims of a dead invocation old. What an invocation leaves out it makes visible itself, at once.
  visibility_seconds = {
    queue       = max(6 * module.inputs.ingest.timeout + local.mappings.ingest.batch_window, local.claim_seconds + 60)
    large_queue = max(6 * module.inputs.ingest_large.timeout + local.mappings.ingest_large.batch_window, local.claim_seconds + 60)
  }

  # All three keep messages as long as SQS can: a message takes its age along to the dead-letter queue.
  retention_seconds = 14 * 24 * 3600

  redrive = jsonencode({ deadLetterTargetArn = local.arns.dead_letter_queue, maxReceiveCount = var.receive_count_max })

  # Which ways lead to the queue. Both while one gives way to the other: what comes twice is ingested once.
  by_s3    = var.event_delivery != "eventbridge"
  by_rules = var.event_delivery != "s3"

  # S3 takes a hundred notifications on one bucket.
  notifications_by_bucket = { for bucket in local.source_buckets : bucket => {
    for name, pipeline in local.pipelines : name => pipeline.source_prefix if pipeline.source_bucket == bucket
  } }
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = local.names.dead_letter_queue
  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = var.kms_key == null ? true : null
  kms_master_key_id         = local.key_arn
  policy                    = local.queue_policies.dead_letter_queue
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.arns.queue, local.arns.large_queue]
  })
}

resource "aws_sqs_queue" "queue" {
  name                       = local.names.queue
  visibility_timeout_seconds = local.visibility_seconds.queue
  message_retention_seconds  = local.retention_seconds
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key == null ? true : null
  kms_master_key_id          = local.key_arn
  policy                     = local.queue_policies.queue
  redrive_policy             = local.redrive

  # SQS looks whether the dead-letter queue exists.
  depends_on = [aws_sqs_queue.dead_letters]
}

resource "aws_sqs_queue" "large" {
  name                       = local.names.large_queue
  visibility_timeout_seconds = local.visibility_seconds.large_queue
  message_retention_seconds  = local.retention_seconds
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key == null ? true : null
  kms_master_key_id          = local.key_arn
  policy                     = local.queue_policies.large_queue
  redrive_policy             = local.redrive

  depends_on = [aws_sqs_queue.dead_letters]
}

resource "aws_s3_bucket_notification" "source" {
  for_each = var.manage_notifications ? local.notifications_by_bucket : {}

  bucket      = each.key
  eventbridge = local.by_rules

  dynamic "queue" {
    for_each = local.by_s3 ? each.value : {}
    content {
      id            = "lithify-${queue.key}"
      queue_arn     = local.arns.queue
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value == "" ? null : queue.value
    }
  }

  lifecycle {
    precondition {
      condition     = !local.by_s3 || length(each.value) <= 100
      error_message = "S3 takes 100 notifications on a bucket, and ${each.key} has ${length(each.value)} pipelines: use event_delivery = \"eventbridge\"."
    }
  }

  # S3 tries the queue when it is told of it. A drop of a pipeline that the settings do not name yet would be acknowledged as nobody's, so they
  # come first. And where delivery changes from one way to the other, the rules are there before the queue leaves the bucket's notification.
  depends_on = [
    aws_cloudwatch_event_target.arrival,
    aws_s3_bucket.made,
    aws_s3_bucket_policy.made,
    aws_s3_object.settings,
    aws_sqs_queue.queue,
  ]
}

resource "aws_cloudwatch_event_rule" "arrival" {
  for_each = local.by_rules ? local.pipelines : {}

  name        = "${var.name}-arrival-${substr(sha256(each.key), 0, 12)}"
  description = "Drops of the pipeline ${each.key}"
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = merge(
      { bucket = { name = [each.value.source_bucket] } },
      each.value.source_prefix == "" ? {} : { object = { key = [{ prefix = each.value.source_prefix }] } },
    )
  })

  lifecycle {
    # So that they go after the bucket's notification names the queue again: Terraform destroys first otherwise.
    create_before_destroy = true
  }

  # As with the notification: not before ingest knows the pipeline.
  depends_on = [aws_s3_object.settings]
}

resource "aws_cloudwatch_event_target" "arrival" {
  for_each = aws_cloudwatch_event_rule.arrival

  rule = each.value.name
  arn  = local.arns.queue
  dead_letter_config {
    arn = local.arns.dead_letter_queue
  }

  lifecycle {
    create_before_destroy = true
  }

  # Its policy lets the rules send.
  depends_on = [aws_s3_object.settings, aws_sqs_queue.dead_letters, aws_sqs_queue.queue]
}
