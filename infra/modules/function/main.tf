# One Lambda function with its log group, role and policy. It knows nothing of Lithify.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  log_group = "/aws/lambda/${var.function.name}"

  # What it was given, and leave to write its own log: the group is made here, with a retention, so it may not make one.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:log-group:${local.log_group}:*"]
      }],
      jsondecode(var.function.policy).Statement,
    )
  })
}

resource "aws_cloudwatch_log_group" "log" {
  name              = local.log_group
  retention_in_days = var.function.log_retention_days
  kms_key_id        = var.function.kms_key_arn
}

resource "aws_iam_role" "role" {
  name = var.function.name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "policy" {
  name   = "function"
  role   = aws_iam_role.role.name
  policy = local.policy

  lifecycle {
    precondition {
      condition     = length(local.policy) <= 10240
      error_message = "The policy of ${var.function.name} has ${length(local.policy)} characters and IAM takes 10,240: too many places are named in it. Use the module more than once, with some of the pipelines each; modules that share a source bucket need event_delivery = \"eventbridge\" or manage_notifications = false, as S3 keeps one notification configuration for a bucket."
    }
  }
}

resource "aws_lambda_function" "function" {
  function_name = var.function.name
  description   = var.function.description
  role          = aws_iam_role.role.arn

  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.function.architecture]
  s3_bucket        = var.function.code.bucket
  s3_key           = var.function.code.key
  source_code_hash = var.function.code.sha256

  memory_size                    = var.function.memory
  timeout                        = var.function.timeout
  reserved_concurrent_executions = coalesce(var.function.reserved_concurrency, -1)

  environment {
    variables = var.environment
  }
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.log.name
  }

  # It may start as soon as it is there.
  depends_on = [aws_iam_role_policy.policy]
}
