# When the compactor runs. Two at once are safe, so a run that takes longer than its schedule needs no care.

locals {
  # Without an input the compactor is given the schedule's own event, which asks for the usual work.
  schedules = {
    compact = { expression = module.inputs.compactor.schedule, description = "Commits what is staged", input = null }
    upkeep  = { expression = module.inputs.compactor.upkeep_schedule, description = "Keeps the tables up", input = jsonencode({ upkeep = true }) }
  }
}

resource "aws_cloudwatch_event_rule" "schedule" {
  for_each = local.schedules

  name                = "${var.name}-${each.key}"
  description         = each.value.description
  schedule_expression = each.value.expression
}

resource "aws_cloudwatch_event_target" "schedule" {
  for_each = local.schedules

  rule  = aws_cloudwatch_event_rule.schedule[each.key].name
  arn   = module.function["compactor"].arn
  input = each.value.input

  depends_on = [aws_lambda_permission.schedule]
}

resource "aws_lambda_permission" "schedule" {
  for_each = local.schedules

  statement_id  = "Schedule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = module.function["compactor"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule[each.key].arn
}
