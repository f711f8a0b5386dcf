# The same module as on AWS, applied to LocalStack by `localstack/up`.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "endpoint" {
  description = "Where LocalStack listens."
  type        = string
}

variable "zips" {
  description = "The packed functions."
  type        = object({ ingest = string, compactor = string })
}

variable "architecture" {
  description = "What they were built for: this machine."
  type        = string
}

variable "name" {
  description = "The beginning of every name."
  type        = string
  default     = "lithify"
}

# The rest is passed on as it is; `up` reads other values from the file that LITHIFY_LOCALSTACK_VARS names.

variable "pipelines" {
  description = "As the module's."
  type        = any
  default = {
    orders = {
      source        = "s3://vendor-drops/orders/"
      table         = "s3://lake/tables/orders"
      longest_delay = "1m"
    }
  }
}

variable "ingest" {
  description = "As the module's; batches gather for a short time only, as somebody is watching."
  type        = any
  default     = { batch_window = 2 }
}

variable "ingest_large" {
  description = "As the module's."
  type        = any
  default     = {}
}

variable "compactor" {
  description = "As the module's."
  type        = any
  default     = {}
}

variable "receive_count_max" {
  description = "As the module's."
  type        = number
  default     = 12
}

variable "event_delivery" {
  description = "As the module's."
  type        = string
  default     = "s3"
}

variable "kms_key" {
  description = "As the module's."
  type        = string
  default     = null
}

variable "log_filter" {
  description = "As the module's."
  type        = string
  default     = "info"
}

provider "aws" {
  region     = "us-east-1"
  access_key = "test"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    cloudwatch     = var.endpoint
    cloudwatchlogs = var.endpoint
    dynamodb       = var.endpoint
    eventbridge    = var.endpoint
    iam            = var.endpoint
    kms            = var.endpoint
    lambda         = var.endpoint
    s3             = var.endpoint
    sqs            = var.endpoint
    sts            = var.endpoint
  }
}

module "lithify" {
  source = "../infra"

  name              = var.name
  zips              = var.zips
  architecture      = var.architecture
  pipelines         = var.pipelines
  ingest            = var.ingest
  ingest_large      = var.ingest_large
  compactor         = var.compactor
  receive_count_max = var.receive_count_max
  event_delivery    = var.event_delivery
  kms_key           = var.kms_key
  log_filter        = var.log_filter

  make_buckets                 = toset(flatten([for pipeline in values(var.pipelines) : [for address in [pipeline.source, pipeline.table] : split("/", trimprefix(address, "s3://"))[0]]]))
  destroy_buckets_with_content = true
  ledger_deletion_protection   = false
}

output "lithify" {
  description = "All that the module tells."
  value       = module.lithify
}
