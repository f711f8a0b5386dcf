output "queue_arn" {
  description = "The queue that takes S3's notifications."
  value       = aws_sqs_queue.queue.arn
}

output "queues" {
  description = "Addresses of the queues."
  value = {
    queue             = aws_sqs_queue.queue.url
    large_queue       = aws_sqs_queue.large.url
    dead_letter_queue = aws_sqs_queue.dead_letters.url
  }
}

output "ledger" {
  description = "The name of the ledger's DynamoDB table; `--ledger dynamodb://NAME` on the command line."
  value       = aws_dynamodb_table.ledger.name
}

output "settings" {
  description = "The address of the settings object."
  value       = local.settings_address
}

output "functions" {
  description = "Names of the functions."
  value       = { for key, function in module.function : key => function.name }
}

output "roles" {
  description = "ARNs of the functions' roles, for bucket and key policies of other accounts."
  value       = { for key, function in module.function : key => function.role_arn }
}

output "log_groups" {
  description = "Names of the functions' log groups."
  value       = { for key, function in module.function : key => function.log_group }
}

output "pipelines" {
  description = "Source, table and format of each pipeline; the format is null where it is told from the drops."
  value       = { for name, pipeline in module.inputs.pipelines : name => { source = pipeline.source, table = trimsuffix(pipeline.table, "/"), format = pipeline.format } }
}

output "made_buckets" {
  description = "The buckets that the module made."
  value       = [for bucket in aws_s3_bucket.made : bucket.bucket]
}

output "kms_key_arn" {
  description = "The key in use, or null."
  value       = local.key_arn
}

output "opened" {
  description = "What the compactor answered when it opened the pipelines."
  value       = aws_lambda_invocation.open.result
}
