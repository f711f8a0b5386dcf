output "name" {
  description = "The function's name, known when it is there."
  value       = aws_lambda_function.function.function_name
}

output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.function.arn
}

output "role_arn" {
  description = "Its role's ARN."
  value       = aws_iam_role.role.arn
}

output "log_group" {
  description = "Its log group's name."
  value       = aws_cloudwatch_log_group.log.name
}

output "facts" {
  description = "What was made, for tests: they cannot look into a module."
  value = {
    policies           = [aws_iam_role_policy.policy.policy, aws_iam_role.role.assume_role_policy]
    architectures      = aws_lambda_function.function.architectures
    runtime            = aws_lambda_function.function.runtime
    memory             = aws_lambda_function.function.memory_size
    timeout            = aws_lambda_function.function.timeout
    environment        = aws_lambda_function.function.environment[0].variables
    log_retention_days = aws_cloudwatch_log_group.log.retention_in_days
    concurrency        = aws_lambda_function.function.reserved_concurrent_executions
  }
}
