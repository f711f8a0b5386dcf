# The smallest real root: one bucket that vendors write to, one pipeline, one table. Copy it, put your names in, and
#   terraform init && terraform apply
# Keep the state where your others lie (a `backend` block): it knows the ledger.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Credentials come from the environment, as always. All buckets lie in this region.
provider "aws" {
  region = "eu-central-1"
}

module "lithify" {
  source = "../"

  # The functions, built first: cargo lambda build --profile deploy --arm64 --features lambda -p ingest -p compactor --output-format zip
  zips = {
    ingest    = "../../target/lambda/ingest/bootstrap.zip"
    compactor = "../../target/lambda/compactor/bootstrap.zip"
  }

  pipelines = {
    orders = {
      source = "s3://example-vendor-drops/orders/" # what arrives here ...
      table  = "s3://example-lake/tables/orders"   # ... appears in this Delta table,
      format = "json"

      longest_delay  = "5m" # soon after this at the latest (where a compactor died, when its lease ends: five minutes at most),
      cluster_by     = ["order_id"]
      no_drops_hours = 24 # and somebody is told when nothing arrives.
    }
  }

  # The module writes the notifications of the source's bucket. If others notify from it too, see `manage_notifications`.
  # Both buckets exist already. To have one made: make_buckets = ["example-lake"]

  # alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:pager"
}

output "lithify" {
  value = {
    functions = module.lithify.functions
    ledger    = module.lithify.ledger
    queues    = module.lithify.queues
  }
}
