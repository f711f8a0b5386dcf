# Who may do what. Written with jsonencode rather than as data sources, so that `terraform test` sees what will be attached.

locals {
  settings_arn = "${local.arns.s3}${local.settings_bucket}/${local.settings_key}"

  source_objects = [for pipeline in local.pipelines : "${local.arns.s3}${pipeline.source_bucket}/${pipeline.source_prefix}*"]
  state_objects  = [for table in local.tables : "${local.arns.s3}${table.bucket}/${table.key}/_lithify/*"]
  table_objects = flatten([for table in local.tables : [
    "${local.arns.s3}${table.bucket}/${table.key}/*",
    "${local.arns.s3}${table.bucket}/${table.key}_drops/*",
  ]])

  # Prefixes that may be listed, by bucket.
  ingest_lists = { for bucket in setunion(local.source_buckets, local.table_buckets) : bucket => concat(
    [for pipeline in local.pipelines : "${pipeline.source_prefix}*" if pipeline.source_bucket == bucket],
    [for table in local.tables : "${table.key}/_lithify/*" if table.bucket == bucket],
  ) }
  compactor_lists = { for bucket in local.table_buckets : bucket => flatten(
    [for table in local.tables : ["${table.key}/*", "${table.key}_drops/*"] if table.bucket == bucket]
  ) }

  # Without leave to list, S3 answers 403 for an object that is gone, and gone could not be told from denied. S3 judges that question as a
  # listing whose prefix is the object's key, so the prefixes serve for both; a listing without a prefix is refused.
  list_statements = { for role, lists in { ingest = local.ingest_lists, compactor = local.compactor_lists } : role => [
    for bucket, prefixes in lists : {
      Effect    = "Allow"
      Action    = role == "ingest" ? ["s3:ListBucket", "s3:ListBucketVersions"] : ["s3:ListBucket"]
      Resource  = "${local.arns.s3}${bucket}"
      Condition = { StringLike = { "s3:prefix" = prefixes } }
    }
  ] }

  shared_statements = concat(
    [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [local.settings_arn]
      },
      {
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem",
          "dynamodb:ConditionCheckItem",
          "dynamodb:DescribeTable",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:Query",
        ]
        Resource = [local.arns.ledger]
      },
    ],
    length(local.key_arns) == 0 ? [] : [{
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = local.key_arns
    }],
  )

  # The two that ingest differ by the queue they take from.
  ingest_statements = { for role, queue in { ingest = local.arns.queue, ingest_large = local.arns.large_queue } : role => concat(
    [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = local.source_objects
      },
      {
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = local.state_objects
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = [queue]
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [local.arns.queue, local.arns.large_queue, local.arns.dead_letter_queue]
      },
    ],
    local.list_statements.ingest,
    local.shared_statements,
  ) }

  compactor_statements = concat(
    [
      {
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = local.table_objects
      },
      # Committed batches leave the list of what is staged. Nobody else deletes from the ledger.
      {
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem"]
        Resource = [local.arns.ledger]
      },
    ],
    local.list_statements.compactor,
    local.shared_statements,
  )

  policies = {
    ingest       = jsonencode({ Version = "2012-10-17", Statement = local.ingest_statements.ingest })
    ingest_large = jsonencode({ Version = "2012-10-17", Statement = local.ingest_statements.ingest_large })
    compactor    = jsonencode({ Version = "2012-10-17", Statement = local.compactor_statements })
  }

  tls_only = { for queue in ["queue", "large_queue", "dead_letter_queue"] : queue => {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Resource  = local.arns[queue]
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  } }

  # This account and those that it was told of.
  source_accounts = sort(setunion([local.account], var.source_accounts))

  # S3 itself, for these buckets of these accounts and nobody else. A bucket's ARN tells no account.
  from_s3 = {
    Sid       = "Notifications"
    Effect    = "Allow"
    Principal = { Service = "s3.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Resource  = local.arns.queue
    Condition = {
      ArnEquals    = { "aws:SourceArn" = [for bucket in local.source_buckets : "${local.arns.s3}${bucket}"] }
      StringEquals = { "aws:SourceAccount" = local.source_accounts }
    }
  }
  # SNS, for these topics; a topic's ARN holds its account.
  from_topics = {
    Sid       = "Topics"
    Effect    = "Allow"
    Principal = { Service = "sns.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Resource  = local.arns.queue
    Condition = { ArnEquals = { "aws:SourceArn" = sort(var.topics) } }
  }
  # Beside the others in one policy, where no two statements have one id.
  from_rules = { for queue in ["queue", "dead_letter_queue"] : queue => {
    Sid       = "Rules"
    Effect    = "Allow"
    Principal = { Service = "events.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Resource  = local.arns[queue]
    Condition = { ArnLike = { "aws:SourceArn" = local.arns.arrival_rules } }
  } }

  queue_policies = {
    queue = jsonencode({ Version = "2012-10-17", Statement = concat(
      [local.tls_only.queue],
      [for statement in [local.from_s3] : statement if local.by_s3],
      [for statement in [local.from_rules.queue] : statement if local.by_rules],
      [for statement in [local.from_topics] : statement if length(var.topics) > 0],
    ) })
    large_queue = jsonencode({ Version = "2012-10-17", Statement = [local.tls_only.large_queue] })
    dead_letter_queue = jsonencode({ Version = "2012-10-17", Statement = concat(
      [local.tls_only.dead_letter_queue],
      [for statement in [local.from_rules.dead_letter_queue] : statement if local.by_rules],
    ) })
  }
}
