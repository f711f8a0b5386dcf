# One page that answers: what arrives, what waits, what went wrong, what is used.

locals {
  # Each graph: title, statistic, and its metrics as CloudWatch writes them.
  graphs = [
    { title = "Drops", stat = "Sum", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "Drops", "pipeline", name]] },
    { title = "Rows", stat = "Sum", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "Rows", "pipeline", name]] },
    { title = "Bytes", stat = "Sum", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "Bytes", "pipeline", name]] },
    { title = "Age of the oldest staged run (s)", stat = "Maximum", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "StagedAge", "pipeline", name]] },
    { title = "From S3 event to commit (ms, 99th percentile)", stat = "p99", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "EventToCommit", "pipeline", name]] },
    { title = "From S3 event to staged (ms, 99th percentile)", stat = "p99", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "EventToStaged", "pipeline", name]] },
    { title = "Rescued rows, quarantined drops and records", stat = "Sum", metrics = flatten([for name in keys(module.inputs.pipelines) : [
      for metric in ["RescuedRows", "QuarantinedDrops", "QuarantinedRecords"] : { line = ["Lithify", metric, "pipeline", name] }
    ]])[*].line },
    { title = "Duplicates, ignored overwrites, missing, left out", stat = "Sum", metrics = flatten([for name in keys(module.inputs.pipelines) : [
      for metric in ["Duplicates", "IgnoredOverwrites", "MissingObjects", "LeftOut"] : { line = ["Lithify", metric, "pipeline", name] }
    ]])[*].line },
    { title = "Sent anew, waiting for what passes", stat = "Sum", metrics = [for name in keys(module.inputs.pipelines) : ["Lithify", "Renewed", "pipeline", name]] },
    { title = "Commits and files written", stat = "Sum", metrics = flatten([for name in keys(module.inputs.pipelines) : [
      for metric in ["Commits", "FilesWritten"] : { line = ["Lithify", metric, "pipeline", name] }
    ]])[*].line },
    { title = "Messages waiting", stat = "Maximum", metrics = [for name in [local.names.queue, local.names.large_queue, local.names.dead_letter_queue] :
    ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]] },
    { title = "Age of the oldest message (s)", stat = "Maximum", metrics = [for name in [local.names.queue, local.names.large_queue] :
    ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name]] },
    { title = "Errors and throttles", stat = "Sum", metrics = flatten([for function in local.functions : [
      for metric in ["Errors", "Throttles"] : { line = ["AWS/Lambda", metric, "FunctionName", function.name] }
    ]])[*].line },
    { title = "Duration (ms, longest)", stat = "Maximum", metrics = [for function in local.functions : ["AWS/Lambda", "Duration", "FunctionName", function.name]] },
    { title = "Invocations", stat = "Sum", metrics = [for function in local.functions : ["AWS/Lambda", "Invocations", "FunctionName", function.name]] },
    { title = "Ledger: units used", stat = "Sum", metrics = [for metric in ["ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits"] :
    ["AWS/DynamoDB", metric, "TableName", local.names.ledger]] },
  ]
}

resource "aws_cloudwatch_dashboard" "lithify" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for place, graph in local.graphs : {
      type   = "metric"
      x      = 8 * (place % 3)
      y      = 6 * floor(place / 3)
      width  = 8
      height = 6
      properties = {
        title   = graph.title
        region  = local.region
        stat    = graph.stat
        period  = 60
        view    = "timeSeries"
        metrics = graph.metrics
      }
    }]
  })
}
