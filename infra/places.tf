# Names and addresses that everything else is made from.
#
# ARNs are built from names instead of being asked of the resources: so policies need not wait for what they speak of, a queue and its
# dead-letter queue can name each other, and `terraform test` reads the policies as they will be.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  # Each pipeline's places. `source_prefix` is empty or ends with '/', `table_key` does not.
  pipelines = { for name, pipeline in module.inputs.pipelines : name => {
    source_bucket = split("/", trimprefix(pipeline.source, "s3://"))[0]
    source_prefix = join("/", slice(split("/", trimprefix(pipeline.source, "s3://")), 1, length(split("/", trimprefix(pipeline.source, "s3://")))))
    table_bucket  = split("/", trimprefix(pipeline.table, "s3://"))[0]
    table_key     = trimsuffix(join("/", slice(split("/", trimprefix(pipeline.table, "s3://")), 1, length(split("/", trimprefix(pipeline.table, "s3://"))))), "/")
  } }

  source_buckets = toset([for pipeline in local.pipelines : pipeline.source_bucket])
  table_buckets  = toset([for pipeline in local.pipelines : pipeline.table_bucket])
  # Several pipelines may feed one table.
  tables = distinct([for pipeline in local.pipelines : { bucket = pipeline.table_bucket, key = pipeline.table_key }])

  # In the bucket that was chosen first, as long as it holds a table: a pipeline that is added and sorts first moves nothing.
  first_bucket     = contains(local.table_buckets, terraform_data.settings_bucket.input) ? terraform_data.settings_bucket.input : values(local.pipelines)[0].table_bucket
  settings_address = coalesce(var.settings_address, "s3://${local.first_bucket}/_lithify/${var.name}/settings.json")
  settings_bucket  = split("/", trimprefix(local.settings_address, "s3://"))[0]
  settings_key     = trimprefix(local.settings_address, "s3://${local.settings_bucket}/")

  # The packed functions lie beside the settings. Read from there Lambda takes any size, and Terraform makes the functions side by side.
  code_keys = { for function, zip in var.zips : function => "${trimsuffix(local.settings_key, reverse(split("/", local.settings_key))[0])}code/${function}-${filesha256(zip)}.zip" }

  names = {
    queue             = var.name
    large_queue       = "${var.name}-large"
    dead_letter_queue = "${var.name}-dead-letters"
    ledger            = "${var.name}-ledger"
    ingest            = "${var.name}-ingest"
    ingest_large      = "${var.name}-ingest-large"
    compactor         = "${var.name}-compactor"
  }

  arns = {
    queue             = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.names.queue}"
    large_queue       = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.names.large_queue}"
    dead_letter_queue = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.names.dead_letter_queue}"
    ledger            = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.names.ledger}"
    s3                = "arn:${local.partition}:s3:::"
    # Of the rules that the module may make; used as a pattern.
    arrival_rules = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-arrival-*"
  }
}

# Remembers the bucket of the first pipeline's table at the first apply.
resource "terraform_data" "settings_bucket" {
  input = values(local.pipelines)[0].table_bucket

  lifecycle {
    ignore_changes = [input]
  }
}
