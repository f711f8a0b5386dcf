# Least privilege: every policy that the module writes is read as it will be attached, and the sources are read for one that is not listed here.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
  pipelines = {
    orders = { source = "s3://vendor-drops/orders/", table = "s3://lake/tables/orders" }
    clicks = { source = "s3://web/", table = "s3://lake/tables/clicks" }
  }
  make_buckets        = ["web", "lake"]
  bucket_kms_key_arns = ["arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"]
}

run "no_star" {
  command = apply

  assert {
    condition = alltrue(flatten([for text in concat(flatten([for function in module.function : function.facts.policies]), values(local.queue_policies), values(local.bucket_policies)) :
      [for statement in jsondecode(text).Statement : [for place in flatten([try(statement.Resource, [])]) : place != "*"]]
    ]))
    error_message = "A policy speaks of every resource there is."
  }
  assert {
    condition = alltrue(flatten([for text in concat(flatten([for function in module.function : function.facts.policies]), values(local.queue_policies), values(local.bucket_policies)) :
      [for statement in jsondecode(text).Statement : [for action in flatten([statement.Action]) : statement.Effect == "Allow" ? !strcontains(action, "*") : action != "*"]]
    ]))
    error_message = "A policy allows actions by a wildcard."
  }
  assert {
    condition = alltrue(flatten([for text in concat(flatten([for function in module.function : function.facts.policies]), values(local.queue_policies), values(local.bucket_policies)) :
      [for statement in jsondecode(text).Statement : !can(statement.NotAction) && !can(statement.NotResource) && !can(statement.NotPrincipal)]
    ]))
    error_message = "A policy says what is not meant: that grants what nobody listed."
  }
  # What is read above is what is attached.
  assert {
    condition     = aws_sqs_queue.queue.policy == local.queue_policies.queue && aws_sqs_queue.large.policy == local.queue_policies.large_queue && aws_sqs_queue.dead_letters.policy == local.queue_policies.dead_letter_queue && alltrue([for name, bucket in aws_s3_bucket_policy.made : bucket.policy == local.bucket_policies[name]]) && length(aws_s3_bucket_policy.made) == 2
    error_message = "A queue or bucket has another policy than the one that was looked at."
  }
  assert {
    condition     = length(module.function) == 3 && alltrue([for function in module.function : length(function.facts.policies) == 2 && length(jsondecode(function.facts.policies[0]).Statement) > 3])
    error_message = "A function's policies were not seen."
  }
}

# What no plan shows: a policy more in the sources has to be read by the run no_star as well, and to be counted here.
run "no_other_policy" {
  command = plan
  module {
    source = "./tests/sources"
  }

  assert {
    condition     = toset(output.policy_resources) == toset(["aws_s3_bucket_policy", "aws_iam_role_policy", "aws_iam_role"])
    error_message = "Resources that hold policies: ${join(", ", output.policy_resources)}."
  }
  assert {
    condition = output.policy_arguments == {
      "buckets.tf"                    = 1
      "functions.tf"                  = 3
      "key.tf"                        = 1
      "modules/function/main.tf"      = 3
      "modules/function/variables.tf" = 1
      "queue.tf"                      = 3
    }
    error_message = "Arguments that hold policies: ${jsonencode(output.policy_arguments)}."
  }
  assert {
    condition     = output.unreadable == []
    error_message = "Policies that no test can read: ${join(", ", output.unreadable)}."
  }
  # In a key's policy "*" means the key.
  assert {
    condition     = output.stars == ["key.tf"] && output.files > 15
    error_message = "A \"*\" as an action or as a whole resource: ${join(", ", output.stars)}."
  }
}

run "ingest" {
  command = apply

  # Each action with everything that it is granted on: one more is as wrong as one less.
  assert {
    condition = { for action in distinct(flatten([for statement in jsondecode(module.function["ingest"].facts.policies[0]).Statement : statement.Action])) : action =>
      join(" ", sort(distinct(flatten([for statement in jsondecode(module.function["ingest"].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), action)])))) } == {
      "dynamodb:BatchGetItem"       = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:ConditionCheckItem" = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:DescribeTable"      = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:GetItem"            = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:PutItem"            = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:Query"              = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "kms:Decrypt"                 = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      "kms:GenerateDataKey"         = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      "logs:CreateLogStream"        = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-ingest:*"
      "logs:PutLogEvents"           = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-ingest:*"
      "s3:AbortMultipartUpload" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
      ])
      "s3:DeleteObject" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
      ])
      "s3:GetObject" = join(" ", [
        "arn:aws:s3:::lake/_lithify/lithify/settings.json",
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
        "arn:aws:s3:::vendor-drops/orders/*",
        "arn:aws:s3:::web/*",
      ])
      "s3:GetObjectVersion" = join(" ", [
        "arn:aws:s3:::vendor-drops/orders/*",
        "arn:aws:s3:::web/*",
      ])
      "s3:ListBucket" = join(" ", [
        "arn:aws:s3:::lake",
        "arn:aws:s3:::vendor-drops",
        "arn:aws:s3:::web",
      ])
      "s3:ListBucketVersions" = join(" ", [
        "arn:aws:s3:::lake",
        "arn:aws:s3:::vendor-drops",
        "arn:aws:s3:::web",
      ])
      "s3:PutObject" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
      ])
      "sqs:ChangeMessageVisibility" = "arn:aws:sqs:eu-central-1:123456789012:lithify"
      "sqs:DeleteMessage"           = "arn:aws:sqs:eu-central-1:123456789012:lithify"
      "sqs:GetQueueAttributes"      = "arn:aws:sqs:eu-central-1:123456789012:lithify"
      "sqs:ReceiveMessage"          = "arn:aws:sqs:eu-central-1:123456789012:lithify"
      "sqs:SendMessage" = join(" ", [
        "arn:aws:sqs:eu-central-1:123456789012:lithify",
        "arn:aws:sqs:eu-central-1:123456789012:lithify-dead-letters",
        "arn:aws:sqs:eu-central-1:123456789012:lithify-large",
      ])
    }
    error_message = "ingest may do more or less than it does."
  }
  # Nothing is denied, and nothing but a listing has a condition: that each has, with its prefixes.
  assert {
    condition = { for statement in jsondecode(module.function["ingest"].facts.policies[0]).Statement : flatten([statement.Resource])[0] => { for test, keys in statement.Condition : test => { for key, values in keys : key => join(" ", sort(values)) } } if can(statement.Condition) } == {
      "arn:aws:s3:::vendor-drops" = { StringLike = { "s3:prefix" = "orders/*" } }
      "arn:aws:s3:::web"          = { StringLike = { "s3:prefix" = "*" } }
      "arn:aws:s3:::lake"         = { StringLike = { "s3:prefix" = "tables/clicks/_lithify/* tables/orders/_lithify/*" } }
    }
    error_message = "ingest lists more than it should (a listing without a prefix shows the whole bucket), or cannot tell a missing object from a denied one."
  }
  assert {
    condition = alltrue([for statement in jsondecode(module.function["ingest"].facts.policies[0]).Statement :
    statement.Effect == "Allow" && can(statement.Condition) == contains(flatten([statement.Action]), "s3:ListBucket")])
    error_message = "A listing of ingest has no condition, or something else has one or is denied."
  }
}

run "ingest_large" {
  command = apply

  # Each action with everything that it is granted on: one more is as wrong as one less.
  assert {
    condition = { for action in distinct(flatten([for statement in jsondecode(module.function["ingest_large"].facts.policies[0]).Statement : statement.Action])) : action =>
      join(" ", sort(distinct(flatten([for statement in jsondecode(module.function["ingest_large"].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), action)])))) } == {
      "dynamodb:BatchGetItem"       = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:ConditionCheckItem" = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:DescribeTable"      = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:GetItem"            = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:PutItem"            = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:Query"              = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "kms:Decrypt"                 = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      "kms:GenerateDataKey"         = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      "logs:CreateLogStream"        = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-ingest-large:*"
      "logs:PutLogEvents"           = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-ingest-large:*"
      "s3:AbortMultipartUpload" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
      ])
      "s3:DeleteObject" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
      ])
      "s3:GetObject" = join(" ", [
        "arn:aws:s3:::lake/_lithify/lithify/settings.json",
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
        "arn:aws:s3:::vendor-drops/orders/*",
        "arn:aws:s3:::web/*",
      ])
      "s3:GetObjectVersion" = join(" ", [
        "arn:aws:s3:::vendor-drops/orders/*",
        "arn:aws:s3:::web/*",
      ])
      "s3:ListBucket" = join(" ", [
        "arn:aws:s3:::lake",
        "arn:aws:s3:::vendor-drops",
        "arn:aws:s3:::web",
      ])
      "s3:ListBucketVersions" = join(" ", [
        "arn:aws:s3:::lake",
        "arn:aws:s3:::vendor-drops",
        "arn:aws:s3:::web",
      ])
      "s3:PutObject" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/_lithify/*",
        "arn:aws:s3:::lake/tables/orders/_lithify/*",
      ])
      "sqs:ChangeMessageVisibility" = "arn:aws:sqs:eu-central-1:123456789012:lithify-large"
      "sqs:DeleteMessage"           = "arn:aws:sqs:eu-central-1:123456789012:lithify-large"
      "sqs:GetQueueAttributes"      = "arn:aws:sqs:eu-central-1:123456789012:lithify-large"
      "sqs:ReceiveMessage"          = "arn:aws:sqs:eu-central-1:123456789012:lithify-large"
      "sqs:SendMessage" = join(" ", [
        "arn:aws:sqs:eu-central-1:123456789012:lithify",
        "arn:aws:sqs:eu-central-1:123456789012:lithify-dead-letters",
        "arn:aws:sqs:eu-central-1:123456789012:lithify-large",
      ])
    }
    error_message = "ingest_large may do more or less than it does."
  }
  # Nothing is denied, and nothing but a listing has a condition: that each has, with its prefixes.
  assert {
    condition = { for statement in jsondecode(module.function["ingest_large"].facts.policies[0]).Statement : flatten([statement.Resource])[0] => { for test, keys in statement.Condition : test => { for key, values in keys : key => join(" ", sort(values)) } } if can(statement.Condition) } == {
      "arn:aws:s3:::vendor-drops" = { StringLike = { "s3:prefix" = "orders/*" } }
      "arn:aws:s3:::web"          = { StringLike = { "s3:prefix" = "*" } }
      "arn:aws:s3:::lake"         = { StringLike = { "s3:prefix" = "tables/clicks/_lithify/* tables/orders/_lithify/*" } }
    }
    error_message = "ingest_large lists more than it should (a listing without a prefix shows the whole bucket), or cannot tell a missing object from a denied one."
  }
  assert {
    condition = alltrue([for statement in jsondecode(module.function["ingest_large"].facts.policies[0]).Statement :
    statement.Effect == "Allow" && can(statement.Condition) == contains(flatten([statement.Action]), "s3:ListBucket")])
    error_message = "A listing of ingest_large has no condition, or something else has one or is denied."
  }
}

run "compactor" {
  command = apply

  # Each action with everything that it is granted on: one more is as wrong as one less.
  assert {
    condition = { for action in distinct(flatten([for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement : statement.Action])) : action =>
      join(" ", sort(distinct(flatten([for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), action)])))) } == {
      "dynamodb:BatchGetItem"       = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:ConditionCheckItem" = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:DeleteItem"         = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:DescribeTable"      = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:GetItem"            = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:PutItem"            = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "dynamodb:Query"              = "arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"
      "kms:Decrypt"                 = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      "kms:GenerateDataKey"         = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      "logs:CreateLogStream"        = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-compactor:*"
      "logs:PutLogEvents"           = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-compactor:*"
      "s3:AbortMultipartUpload" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/*",
        "arn:aws:s3:::lake/tables/clicks_drops/*",
        "arn:aws:s3:::lake/tables/orders/*",
        "arn:aws:s3:::lake/tables/orders_drops/*",
      ])
      "s3:DeleteObject" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/*",
        "arn:aws:s3:::lake/tables/clicks_drops/*",
        "arn:aws:s3:::lake/tables/orders/*",
        "arn:aws:s3:::lake/tables/orders_drops/*",
      ])
      "s3:GetObject" = join(" ", [
        "arn:aws:s3:::lake/_lithify/lithify/settings.json",
        "arn:aws:s3:::lake/tables/clicks/*",
        "arn:aws:s3:::lake/tables/clicks_drops/*",
        "arn:aws:s3:::lake/tables/orders/*",
        "arn:aws:s3:::lake/tables/orders_drops/*",
      ])
      "s3:ListBucket" = "arn:aws:s3:::lake"
      "s3:PutObject" = join(" ", [
        "arn:aws:s3:::lake/tables/clicks/*",
        "arn:aws:s3:::lake/tables/clicks_drops/*",
        "arn:aws:s3:::lake/tables/orders/*",
        "arn:aws:s3:::lake/tables/orders_drops/*",
      ])
    }
    error_message = "compactor may do more or less than it does."
  }
  # Nothing is denied, and nothing but a listing has a condition: that each has, with its prefixes.
  assert {
    condition = { for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement : flatten([statement.Resource])[0] => { for test, keys in statement.Condition : test => { for key, values in keys : key => join(" ", sort(values)) } } if can(statement.Condition) } == {
      "arn:aws:s3:::lake" = { StringLike = { "s3:prefix" = "tables/clicks/* tables/clicks_drops/* tables/orders/* tables/orders_drops/*" } }
    }
    error_message = "compactor lists more than it should (a listing without a prefix shows the whole bucket), or cannot tell a missing object from a denied one."
  }
  assert {
    condition = alltrue([for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement :
    statement.Effect == "Allow" && can(statement.Condition) == contains(flatten([statement.Action]), "s3:ListBucket")])
    error_message = "A listing of compactor has no condition, or something else has one or is denied."
  }
}

# Who may be which function: Lambda and nobody else.
run "roles" {
  command = apply

  assert {
    condition     = alltrue([for function in module.function : [for statement in jsondecode(function.facts.policies[1]).Statement : [statement.Effect, statement.Action, statement.Principal.Service]] == [["Allow", "sts:AssumeRole", "lambda.amazonaws.com"]]])
    error_message = "Somebody besides Lambda may take on a function's role."
  }
}

run "own_key" {
  command = apply
  variables {
    kms_key             = "make"
    bucket_kms_key_arns = []
  }

  assert {
    condition = alltrue([for function in module.function : { for action in distinct(flatten([for statement in jsondecode(function.facts.policies[0]).Statement : statement.Action])) : action =>
      flatten([for statement in jsondecode(function.facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), action)]) if startswith(action, "kms:") } == {
      "kms:Decrypt"         = [aws_kms_key.made[0].arn]
      "kms:GenerateDataKey" = [aws_kms_key.made[0].arn]
    }])
    error_message = "A function cannot read or write what the module's key encrypts, or may do more with it."
  }
  assert {
    condition = { for statement in jsondecode(aws_kms_key.made[0].policy).Statement : statement.Sid => join(" ", sort(flatten([statement.Action]))) } == {
      TheAccountDecides          = "kms:*"
      NotificationsIntoTheQueues = "kms:Decrypt kms:GenerateDataKey"
      Logs                       = "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey"
    }
    error_message = "The key's policy allows S3 or the logs more or less than they need."
  }
}

run "no_key" {
  command = apply
  variables {
    bucket_kms_key_arns = []
  }

  assert {
    condition     = alltrue([for function in module.function : !strcontains(function.facts.policies[0], "kms:")])
    error_message = "A function may use a key where there is none."
  }
}

run "queue_policies" {
  command = apply

  assert {
    condition = [for statement in jsondecode(aws_sqs_queue.queue.policy).Statement : statement if statement.Effect == "Allow"] == [{
      Sid       = "Notifications"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-central-1:123456789012:lithify"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = ["arn:aws:s3:::vendor-drops", "arn:aws:s3:::web"] }
        StringEquals = { "aws:SourceAccount" = ["123456789012"] }
      }
    }]
    error_message = "Others than S3, for our source buckets and account, may send to the queue."
  }
  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.large, aws_sqs_queue.dead_letters] : length([for statement in jsondecode(queue.policy).Statement : statement if statement.Effect == "Allow"]) == 0])
    error_message = "Somebody besides the functions may send to a queue of ours."
  }
  assert {
    condition = alltrue([for text in concat([aws_sqs_queue.queue.policy, aws_sqs_queue.large.policy, aws_sqs_queue.dead_letters.policy], [for bucket in aws_s3_bucket_policy.made : bucket.policy]) :
    length([for statement in jsondecode(text).Statement : statement if statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false" && statement.Principal == "*"]) == 1])
    error_message = "A queue or made bucket can be spoken to without TLS."
  }
}

# Buckets of other accounts, and topics that stand between a bucket and the queue.
run "queue_policies_for_others" {
  command = apply
  variables {
    source_accounts = ["210987654321", "123456789012", "111111111111"]
    topics          = ["arn:aws:sns:eu-central-1:210987654321:drops", "arn:aws:sns:eu-central-1:123456789012:all-drops"]
    kms_key         = "make"
  }

  assert {
    condition = [for statement in jsondecode(aws_sqs_queue.queue.policy).Statement : statement if statement.Effect == "Allow"] == [
      {
        Sid       = "Notifications"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:eu-central-1:123456789012:lithify"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = ["arn:aws:s3:::vendor-drops", "arn:aws:s3:::web"] }
          StringEquals = { "aws:SourceAccount" = ["111111111111", "123456789012", "210987654321"] }
        }
      },
      {
        Sid       = "Topics"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:eu-central-1:123456789012:lithify"
        Condition = {
          ArnEquals = { "aws:SourceArn" = ["arn:aws:sns:eu-central-1:123456789012:all-drops", "arn:aws:sns:eu-central-1:210987654321:drops"] }
        }
      },
    ]
    error_message = "Others than S3, for our source buckets in the accounts that were named, and the topics that were named may send to the queue, or one of these may not."
  }
  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.large, aws_sqs_queue.dead_letters] : length([for statement in jsondecode(queue.policy).Statement : statement if statement.Effect == "Allow"]) == 0])
    error_message = "A topic may send to another queue than the one for notifications."
  }
  assert {
    condition = { for statement in jsondecode(aws_kms_key.made[0].policy).Statement : statement.Sid => [join(" ", sort(flatten([statement.Principal.Service]))), join(" ", sort(flatten([statement.Action]))), jsonencode(statement.Condition)] if endswith(statement.Sid, "Queue") || endswith(statement.Sid, "Queues") } == {
      NotificationsIntoTheQueues = ["s3.amazonaws.com", "kms:Decrypt kms:GenerateDataKey", jsonencode({ StringEquals = { "aws:SourceAccount" = ["111111111111", "123456789012", "210987654321"] } })]
      TopicsIntoTheQueue         = ["sns.amazonaws.com", "kms:Decrypt kms:GenerateDataKey", jsonencode({ ArnEquals = { "aws:SourceArn" = ["arn:aws:sns:eu-central-1:123456789012:all-drops", "arn:aws:sns:eu-central-1:210987654321:drops"] } })]
    }
    error_message = "The key lets others encrypt than those that may send, or not all of them."
  }
}

# Of what the rules send the account is theirs, whatever accounts may notify; and all ways together are still statements with ids of their own.
run "queue_policies_by_every_way" {
  command = apply
  variables {
    event_delivery  = "both"
    source_accounts = ["210987654321"]
    topics          = ["arn:aws:sns:eu-central-1:210987654321:drops"]
    kms_key         = "make"
  }

  assert {
    condition     = [for statement in jsondecode(aws_sqs_queue.queue.policy).Statement : statement.Sid] == ["TlsOnly", "Notifications", "Rules", "Topics"]
    error_message = "A way is missing, or two statements have one id."
  }
  assert {
    condition = { for statement in jsondecode(aws_kms_key.made[0].policy).Statement : statement.Principal.Service => jsonencode(statement.Condition) if can(statement.Principal.Service) && statement.Sid != "Logs" } == {
      "s3.amazonaws.com"     = jsonencode({ StringEquals = { "aws:SourceAccount" = ["123456789012", "210987654321"] } })
      "events.amazonaws.com" = jsonencode({ StringEquals = { "aws:SourceAccount" = ["123456789012"] } })
      "sns.amazonaws.com"    = jsonencode({ ArnEquals = { "aws:SourceArn" = ["arn:aws:sns:eu-central-1:210987654321:drops"] } })
    }
    error_message = "The key lets others encrypt than those that may send, or not all of them."
  }
}

run "queue_policies_with_rules" {
  command = apply
  variables {
    event_delivery = "eventbridge"
  }

  assert {
    condition = alltrue([for queue in [aws_sqs_queue.queue, aws_sqs_queue.dead_letters] : [for statement in jsondecode(queue.policy).Statement : [statement.Principal.Service, statement.Condition.ArnLike["aws:SourceArn"]] if statement.Effect == "Allow"] ==
    [["events.amazonaws.com", "arn:aws:events:eu-central-1:123456789012:rule/lithify-arrival-*"]]])
    error_message = "The rules, and nobody else, send to the queue, and to the dead-letter queue what they cannot deliver."
  }
}
