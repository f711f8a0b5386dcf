# The settings object: what both functions read at cold start. It is an object because Lambda's environment holds only 4 KB.

locals {
  # Areas that must not overlap, as "bucket/prefix". A table's area includes its state and, beside it, the audit table.
  # An empty or '.' part of a source's prefix says nothing to the functions, which compare as paths are compared.
  source_areas = { for name, pipeline in local.pipelines : name => replace("${pipeline.source_bucket}/${pipeline.source_prefix}", "/\\/([.]?\\/)+/", "/") }
  table_areas = merge([for table in local.tables : {
    "s3://${table.bucket}/${table.key}"       = "${table.bucket}/${table.key}/"
    "s3://${table.bucket}/${table.key}_drops" = "${table.bucket}/${table.key}_drops/"
  }]...)

  source_overlaps = flatten([for one, first in local.source_areas : [for other, second in local.source_areas :
    "the source of ${other} lies in that of ${one}" if one != other && startswith(second, first)
  ]])
  mixed_overlaps = flatten([for name, source in local.source_areas : [for table, area in local.table_areas :
    "the source of ${name} and the table ${table}" if startswith(source, area) || startswith(area, source)
  ]])
  table_overlaps = flatten([for one, first in local.table_areas : [for other, second in local.table_areas :
    "the table ${other} lies in ${one}" if one != other && startswith(second, first)
  ]])
  # A table whose address is another's audit table has the same area twice, which a map would hide.
  audit_clashes = [for table in local.tables : "the table s3://${table.bucket}/${table.key} is another's audit table"
  if contains([for other in local.tables : "${other.bucket}/${other.key}_drops"], "${table.bucket}/${table.key}")]
  settings_overlaps = flatten([for key in concat([local.settings_key], values(local.code_keys)) : concat(
    [for name, source in local.source_areas : "the source of ${name}" if startswith("${local.settings_bucket}/${key}", source)],
    [for table, area in local.table_areas : "the table ${table}" if startswith("${local.settings_bucket}/${key}", area)],
  )])

  # What a table is, said by each of its pipelines: as texts, so that they compare. The functions refuse all settings where they differ
  # (runtime's relations.rs).
  table_shapes = { for name, pipeline in module.inputs.pipelines : name => {
    cluster_by        = jsonencode(pipeline.cluster_by == null ? null : [for column in pipeline.cluster_by : trimspace(column)])
    z_order_by        = jsonencode(pipeline.z_order_by == null ? null : [for column in pipeline.z_order_by : trimspace(column)])
    partition_columns = jsonencode(try(length(pipeline.partition_columns), 0) == 0 ? null : [for column in pipeline.partition_columns : trimspace(column)])
    target_file_size  = jsonencode(floor(local.bytes[pipeline.target_file_size]))
  } }
  told_otherwise = flatten([for table in local.tables : [for key in ["cluster_by", "z_order_by", "partition_columns", "target_file_size"] :
    "${key} of s3://${table.bucket}/${table.key} (${join(", ", [for name, pipeline in local.pipelines : "${name}: ${local.table_shapes[name][key]}" if pipeline.table_bucket == table.bucket && pipeline.table_key == table.key])})"
    if length(distinct([for name, pipeline in local.pipelines : local.table_shapes[name][key] if pipeline.table_bucket == table.bucket && pipeline.table_key == table.key])) > 1
  ]])

  settings = {
    ledger            = "dynamodb://${aws_dynamodb_table.ledger.name}"
    queue             = aws_sqs_queue.queue.url
    large_queue       = aws_sqs_queue.large.url
    dead_letter_queue = aws_sqs_queue.dead_letters.url
    large_drop_size   = module.inputs.ingest_large.drop_size
    target_file_size  = "128MiB"
    longest_delay     = "5m"
    pipelines = [for name, pipeline in module.inputs.pipelines : {
      name              = name
      source            = pipeline.source
      table             = trimsuffix(pipeline.table, "/")
      format            = pipeline.format
      compression       = pipeline.compression
      schema_hints      = pipeline.schema_hints
      cluster_by        = pipeline.cluster_by
      z_order_by        = pipeline.z_order_by
      partition_columns = try(length(pipeline.partition_columns), 0) == 0 ? null : pipeline.partition_columns
      target_file_size  = pipeline.target_file_size
      longest_delay     = pipeline.longest_delay
      append_existing   = pipeline.append_existing
      overwrites        = pipeline.overwrites
    }]
  }
  settings_text = jsonencode(local.settings)
}

resource "aws_s3_object" "settings" {
  bucket       = local.settings_bucket
  key          = local.settings_key
  content      = local.settings_text
  content_type = "application/json"

  lifecycle {
    # Where it moves, the functions find the old one until they know of the new one.
    create_before_destroy = true

    precondition {
      condition     = length(local.unknown_keys) == 0
      error_message = "Unknown keys, which would have no effect: ${join("; ", [for where, keys in local.unknown_keys : "in ${where} ${join(", ", keys)}"])}. Known are ${join("; ", [for where, known in local.keys_to_choose_from : "in ${where} ${known[0]}"])}."
    }
    precondition {
      condition     = length(local.wrong_sizes) == 0
      error_message = "target_file_size is 1MiB to 8GiB; not so: ${join(", ", local.wrong_sizes)}."
    }
    precondition {
      condition     = length(local.wrong_delays) == 0
      error_message = "longest_delay is 30 days at most; not so: ${join(", ", local.wrong_delays)}."
    }
    precondition {
      condition     = length(local.wrong_alarms) == 0
      error_message = "staged_age_alarm is longer than longest_delay, for which rows may wait; not so: ${join(", ", local.wrong_alarms)}."
    }
    precondition {
      condition     = length(local.told_otherwise) == 0
      error_message = "Pipelines of one table say the same of what the table is, and these do not: ${join("; ", local.told_otherwise)}. Give them the same values, or tables of their own."
    }
    precondition {
      condition     = length(local.source_overlaps) == 0
      error_message = "A drop would be ingested twice: ${join("; ", local.source_overlaps)}. Give each pipeline a prefix of its own."
    }
    precondition {
      condition     = length(local.mixed_overlaps) == 0
      error_message = "Lithify would read what it wrote itself; these overlap: ${join("; ", local.mixed_overlaps)}. Keep them apart."
    }
    precondition {
      condition     = length(local.table_overlaps) + length(local.audit_clashes) == 0
      error_message = "Tables overlap: ${join("; ", concat(local.table_overlaps, local.audit_clashes))}. Keep each table and its audit table (_drops) apart."
    }
    precondition {
      condition     = length(local.settings_overlaps) == 0
      error_message = "The settings object ${local.settings_address}, or the functions beside it, would lie in ${join(", ", distinct(local.settings_overlaps))}: give another settings_address."
    }
  }

  depends_on = [aws_s3_bucket.made, aws_s3_bucket_server_side_encryption_configuration.made]
}
