# The three functions, what feeds them, and the compactor's first invocation, which opens the pipelines.

locals {
  environment = {
    # Named by the object's own attributes, so that whoever starts finds it there, and the ledger that it names.
    LITHIFY_SETTINGS = "s3://${aws_s3_object.settings.bucket}/${aws_s3_object.settings.key}"
    # No function reads this one: it changes with the settings, and a function whose environment changes starts anew and reads them.
    LITHIFY_SETTINGS_DIGEST = sha256(local.settings_text)
    LITHIFY_LOG             = var.log_filter
  }
  ingest_environment = merge(local.environment, { LITHIFY_CLAIM_TIME = "${local.claim_seconds}s" })
  # The same code: this tells it to take every drop, and not to send large ones on to its own queue.
  large_environment = merge(local.ingest_environment, { LITHIFY_LARGE = "1" })
  environments      = { ingest = local.ingest_environment, ingest_large = local.large_environment, compactor = local.environment }

  functions = {
    ingest = {
      name                 = local.names.ingest
      description          = "Lithify: drops -> staged runs"
      code                 = "ingest"
      memory               = module.inputs.ingest.memory
      timeout              = module.inputs.ingest.timeout
      policy               = local.policies.ingest
      reserved_concurrency = module.inputs.ingest.reserved_concurrency
    }
    ingest_large = {
      name                 = local.names.ingest_large
      description          = "Lithify: large drops -> staged runs"
      code                 = "ingest"
      memory               = module.inputs.ingest_large.memory
      timeout              = module.inputs.ingest_large.timeout
      policy               = local.policies.ingest_large
      reserved_concurrency = module.inputs.ingest_large.reserved_concurrency
    }
    compactor = {
      name                 = local.names.compactor
      description          = "Lithify: staged runs -> Delta commits, then upkeep"
      code                 = "compactor"
      memory               = module.inputs.compactor.memory
      timeout              = module.inputs.compactor.timeout
      policy               = local.policies.compactor
      reserved_concurrency = module.inputs.compactor.reserved_concurrency
    }
  }

  # What the ledger fixes of a pipeline when it is opened.
  fixed = { for name, pipeline in module.inputs.pipelines : name => {
    source     = pipeline.source
    table      = trimsuffix(pipeline.table, "/")
    overwrites = pipeline.overwrites
  } }

  # What feeds the two that ingest. A large drop comes alone.
  mappings = {
    ingest       = { queue = local.arns.queue, batch_size = module.inputs.ingest.batch_size, batch_window = module.inputs.ingest.batch_window, concurrency_max = module.inputs.ingest.concurrency_max }
    ingest_large = { queue = local.arns.large_queue, batch_size = 1, batch_window = 0, concurrency_max = module.inputs.ingest_large.concurrency_max }
  }
}

# A key names what lies there, so a function that is being updated finds the old one as well as the new one.
resource "aws_s3_object" "code" {
  for_each = var.zips

  bucket = local.settings_bucket
  key    = local.code_keys[each.key]
  source = each.value

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_s3_bucket.made, aws_s3_bucket_server_side_encryption_configuration.made]
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  function = merge({ for key, value in each.value : key => value if key != "code" }, {
    code = {
      bucket = aws_s3_object.code[each.value.code].bucket
      key    = aws_s3_object.code[each.value.code].key
      sha256 = filebase64sha256(var.zips[each.value.code])
    }
    architecture       = var.architecture
    log_retention_days = var.log_retention_days
    kms_key_arn        = local.key_arn
  })
  environment = local.environments[each.key]
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each = local.mappings

  function_name                      = module.function[each.key].name
  event_source_arn                   = each.value.queue
  batch_size                         = each.value.batch_size
  maximum_batching_window_in_seconds = each.value.batch_window
  # Without it one message that is not final would bring the whole batch again, or none.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = each.value.concurrency_max
  }

  # Nothing is claimed before the pipelines are open: what came earlier waits in the queue.
  depends_on = [aws_lambda_invocation.open, aws_sqs_queue.queue, aws_sqs_queue.large]
}

# An event that came without a queue (S3 or a rule that calls the function itself, somebody's own invocation) is tried as often as Lambda
# can, then kept. The role may send to that queue as it is.
resource "aws_lambda_function_event_invoke_config" "ingest" {
  for_each = local.mappings

  function_name                = module.function[each.key].name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = local.arns.dead_letter_queue
    }
  }

  # Lambda looks whether the queue exists.
  depends_on = [aws_sqs_queue.dead_letters]
}

# A schedule comes again anyway, so a failed or late invocation is not repeated by Lambda.
resource "aws_lambda_function_event_invoke_config" "compactor" {
  function_name                = module.function["compactor"].name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 300
}

# Opens the pipelines in the ledger, at every change of the settings: wrong ones fail the apply here, all faults named.
resource "aws_lambda_invocation" "open" {
  function_name = module.function["compactor"].name
  input         = jsonencode({ pipelines = keys(module.inputs.pipelines), open = true })
  triggers      = { settings = sha256(local.settings_text) }
}

# What the ledger fixed, remembered so that a plan stops where it is changed: by the time that `open` would refuse, the settings and the
# notifications are written, and S3 tells no more of the source that was left.
resource "terraform_data" "opened" {
  for_each = local.fixed

  input = each.value

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input == each.value
      error_message = "The pipeline ${each.key} was opened with ${jsonencode(self.input)}, which cannot change, and has ${jsonencode(each.value)} now. Set it back; another source or table is a pipeline of another name (infra/README.md, Changing a pipeline)."
    }
  }

  # What could not be opened is not fixed, and may be mended.
  depends_on = [aws_lambda_invocation.open]
}

# The same of the name: queues and ledger are called by it, so a change of it destroys them, with all that they hold.
resource "terraform_data" "name" {
  input = var.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input == var.name
      error_message = "The module is called '${self.input}', and another name ('${var.name}') would destroy its queues with their messages, and its ledger. Set it back (infra/README.md, The name stays)."
    }
  }

  depends_on = [aws_lambda_invocation.open]
}
