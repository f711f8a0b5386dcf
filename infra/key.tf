# The module's own key, where it was asked for. A key's policy speaks of "*", which there means this key.

locals {
  key_arn = var.kms_key == "make" ? aws_kms_key.made[0].arn : var.kms_key

  # Every key that the functions need, for their policies.
  key_arns = concat(var.kms_key == null ? [] : [local.key_arn], var.bucket_kms_key_arns)

  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "TheAccountDecides"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
          Action    = "kms:*"
          Resource  = "*"
        },
        {
          Sid       = "Logs"
          Effect    = "Allow"
          Principal = { Service = "logs.${local.region}.amazonaws.com" }
          Action    = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
          Resource  = "*"
          Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}-*" } }
        },
      ],
      # Whoever may send to a queue (policies.tf), and nobody else.
      [for sender in local.key_senders : {
        Sid       = sender.sid
        Effect    = "Allow"
        Principal = { Service = sender.service }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = sender.condition
      } if sender.used],
    )
  })
  key_senders = [
    {
      sid       = "NotificationsIntoTheQueues"
      service   = "s3.amazonaws.com"
      condition = { StringEquals = { "aws:SourceAccount" = local.source_accounts } }
      used      = local.by_s3
    },
    {
      sid       = "RulesIntoTheQueues"
      service   = "events.amazonaws.com"
      condition = { StringEquals = { "aws:SourceAccount" = [local.account] } }
      used      = local.by_rules
    },
    {
      sid       = "TopicsIntoTheQueue"
      service   = "sns.amazonaws.com"
      condition = { ArnEquals = { "aws:SourceArn" = sort(var.topics) } }
      used      = length(var.topics) > 0
    },
  ]
}

resource "aws_kms_key" "made" {
  count = var.kms_key == "make" ? 1 : 0

  description             = "Lithify: queues, ledger, logs and buckets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
}

resource "aws_kms_alias" "made" {
  count = var.kms_key == "make" ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.made[0].key_id
}
