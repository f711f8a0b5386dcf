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

  assert {
    condition = alltrue([for role in ["ingest", "ingest_large"] : toset(flatten([for statement in jsondecode(module.function[role].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), "s3:PutObject") || contains(flatten([statement.Action]), "s3:DeleteObject")])) ==
    toset(["arn:aws:s3:::lake/tables/orders/_lithify/*", "arn:aws:s3:::lake/tables/clicks/_lithify/*"])])
    error_message = "ingest writes or deletes outside the state prefixes."
  }
  assert {
    condition = alltrue([for role in ["ingest", "ingest_large"] : toset(flatten([for statement in jsondecode(module.function[role].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), "s3:GetObjectVersion")])) ==
    toset(["arn:aws:s3:::vendor-drops/orders/*", "arn:aws:s3:::web/*"])])
    error_message = "ingest does not read the sources, or reads more."
  }
  assert {
    condition = alltrue([for role, queue in { ingest = "lithify", ingest_large = "lithify-large" } : flatten([for statement in jsondecode(module.function[role].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), "sqs:ReceiveMessage")]) ==
    ["arn:aws:sqs:eu-central-1:123456789012:${queue}"]])
    error_message = "A function takes from another queue than its own."
  }
  assert {
    condition = alltrue([for role in ["ingest", "ingest_large"] : toset(flatten([for statement in jsondecode(module.function[role].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), "sqs:SendMessage")])) ==
    toset([for name in ["lithify", "lithify-large", "lithify-dead-letters"] : "arn:aws:sqs:eu-central-1:123456789012:${name}"])])
    error_message = "ingest cannot pass a message on, or can send anywhere."
  }
  assert {
    condition = alltrue([for role in ["ingest", "ingest_large"] : { for statement in jsondecode(module.function[role].facts.policies[0]).Statement : statement.Resource => statement.Condition.StringLikeIfExists["s3:prefix"] if contains(flatten([statement.Action]), "s3:ListBucket") } == {
      "arn:aws:s3:::vendor-drops" = ["orders/*"]
      "arn:aws:s3:::web"          = ["*"]
      "arn:aws:s3:::lake"         = ["tables/clicks/_lithify/*", "tables/orders/_lithify/*"]
    }])
    error_message = "ingest lists more than sources and state, or cannot tell a missing object from a denied one."
  }
}

run "compactor" {
  command = apply

  assert {
    condition = toset(flatten([for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), "s3:PutObject")])) == toset([
      "arn:aws:s3:::lake/tables/orders/*", "arn:aws:s3:::lake/tables/orders_drops/*", "arn:aws:s3:::lake/tables/clicks/*", "arn:aws:s3:::lake/tables/clicks_drops/*",
    ])
    error_message = "The compactor writes elsewhere than in tables and audit tables."
  }
  assert {
    condition     = length([for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement : statement if anytrue([for action in flatten([statement.Action]) : startswith(action, "sqs:")])]) == 0
    error_message = "The compactor has nothing to do with queues."
  }
  assert {
    condition = { for statement in jsondecode(module.function["compactor"].facts.policies[0]).Statement : statement.Resource => toset(statement.Condition.StringLikeIfExists["s3:prefix"]) if contains(flatten([statement.Action]), "s3:ListBucket") } == {
      "arn:aws:s3:::lake" = toset(["tables/clicks/*", "tables/clicks_drops/*", "tables/orders/*", "tables/orders_drops/*"])
    }
    error_message = "The compactor lists more than the tables, or not all of them."
  }
}

run "all" {
  command = apply

  assert {
    condition     = alltrue([for function in module.function : flatten([for statement in jsondecode(function.facts.policies[0]).Statement : statement.Resource if anytrue([for action in flatten([statement.Action]) : startswith(action, "dynamodb:")])]) == ["arn:aws:dynamodb:eu-central-1:123456789012:table/lithify-ledger"]])
    error_message = "A function uses another DynamoDB table than the ledger."
  }
  assert {
    condition     = alltrue([for function in module.function : contains(flatten([for statement in jsondecode(function.facts.policies[0]).Statement : statement.Resource if contains(flatten([statement.Action]), "s3:GetObject")]), "arn:aws:s3:::lake/_lithify/lithify/settings.json")])
    error_message = "A function may not read its settings."
  }
  assert {
    condition     = alltrue([for function in module.function : flatten([for statement in jsondecode(function.facts.policies[0]).Statement : statement.Resource if anytrue([for action in flatten([statement.Action]) : startswith(action, "kms:")])]) == ["arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"]])
    error_message = "A function may not use the buckets' keys, or uses others."
  }
  assert {
    condition     = alltrue([for role, name in { ingest = "ingest", ingest_large = "ingest-large", compactor = "compactor" } : flatten([for statement in jsondecode(module.function[role].facts.policies[0]).Statement : statement.Resource if anytrue([for action in flatten([statement.Action]) : startswith(action, "logs:")])]) == ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lithify-${name}:*"]])
    error_message = "A function writes another log than its own, or none."
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
        StringEquals = { "aws:SourceAccount" = "123456789012" }
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
