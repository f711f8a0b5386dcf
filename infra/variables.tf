# What the module is given. `pipelines` is where values are chosen; all else has a default that fits most. Types, defaults and checks of the objects
# are in modules/inputs; a key that it does not know stops the plan (settings.tf).

variable "pipelines" {
  description = <<-TEXT
    The pipelines by name: one source prefix, a format and a target table each. Keys mean what they mean in `lithify.toml`.
      source             s3://bucket/prefix/ (or s3://bucket/ for a whole bucket): where drops arrive; ends with '/'
      table              s3://bucket/path/to/table: the Delta table, made if absent. State lies in TABLE/_lithify/, the audit table in TABLE_drops
      format             json or csv; left away: told by name and first bytes
      compression        none, gzip or zstd; left away: told likewise
      schema_hints       types that you know better, e.g. "price double, customer.zip string"; read at the end of the apply, by the function
      cluster_by         columns to sort by, or
      z_order_by         columns of a Z-order
      partition_columns  columns that partition the table
      target_file_size   size of the table's files, 1MiB to 8GiB
      longest_delay      how long rows may wait for a file of that size
      append_existing    whether to append to a table that Lithify did not make
      overwrites         an object written again under its key: "ignore" it (counted) or "ingest" it as a new drop (use a versioned bucket)
      no_drops_hours     alarm when nothing arrived for so many hours (1 to 168) since the pipeline was made, or right away where the compactor runs less often
                         than every half hour or by a cron(...) schedule; left away: no alarm
      staged_age_alarm   alarm when staged rows wait longer than this; left away: longest_delay and half an hour
  TEXT
  type        = any
  nullable    = false
}

variable "zips" {
  description = "The packed functions: paths of the bootstrap.zip that `cargo lambda build` wrote for each (README.md)."
  nullable    = false
  type = object({
    ingest    = string
    compactor = string
  })

  # As it speaks of another variable, `terraform validate` leaves it to `plan`: a root is valid before the functions are built.
  validation {
    condition     = alltrue([for zip in values(var.zips) : fileexists(zip)])
    error_message = "No such file: ${join(", ", [for zip in values(var.zips) : zip if !fileexists(zip)])}. Build the functions first, or name where they are: cargo lambda build --profile deploy --${var.architecture == "x86_64" ? "x86-64" : "arm64"} --features lambda -p ingest -p compactor --output-format zip (in the checkout; infra/README.md, Deploy)."
  }
}

variable "architecture" {
  description = "What the functions were built for: arm64, or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "name" {
  description = "The beginning of every name that the module gives; two modules in one account need two."
  type        = string
  default     = "lithify"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name is 2 to 32 small letters, digits or '-', beginning with a letter."
  }
}

variable "event_delivery" {
  description = "How S3's word of a drop reaches the queue: \"s3\" (the bucket's own notification), \"eventbridge\" (a rule for each pipeline), or \"both\" while one gives way to the other (README.md)."
  type        = string
  default     = "s3"
  nullable    = false

  validation {
    condition     = contains(["s3", "eventbridge", "both"], var.event_delivery)
    error_message = "event_delivery is \"s3\", \"eventbridge\" or \"both\"; '${var.event_delivery}' is not."
  }
}

variable "manage_notifications" {
  description = "Whether the module writes the source buckets' notification settings. A bucket has ONE such set and writing it replaces what others wrote: where a bucket serves others too, say false and add the queue (output `queue_arn`) or EventBridge there."
  type        = bool
  default     = true
  nullable    = false
}

variable "source_accounts" {
  description = "Further accounts, by their ids, whose buckets may notify the queue: those of sources that are not this account's. Of their buckets, those of the pipelines' sources alone may. The account itself is always among them."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account in var.source_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "source_accounts are ids of accounts, twelve digits each, written as texts; not so: ${join(", ", [for account in var.source_accounts : "'${account}'" if !can(regex("^[0-9]{12}$", account))])}."
  }
}

variable "topics" {
  description = "SNS topics, by their ARNs, that may send to the queue: where a bucket notifies a topic, as others listen too. Who writes the bucket's notification and the topic's subscription is you (README.md)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.topics : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "topics are ARNs of SNS topics, without wildcards, and none is a FIFO topic, which S3 cannot notify; not so: ${join(", ", [for arn in var.topics : "'${arn}'" if !can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])}."
  }
}

variable "make_buckets" {
  description = "Those of the pipelines' buckets that the module makes: encrypted, closed to the public, TLS only, versioned where a source ingests overwrites. All others must exist."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "destroy_buckets_with_content" {
  description = "Whether `terraform destroy` may delete made buckets that are not empty. For trials only."
  type        = bool
  default     = false
  nullable    = false
}

variable "settings_address" {
  description = "Where the settings object is written, s3://bucket/key. Left away: `_lithify/NAME/settings.json` in the bucket of the first pipeline's table, as it was at the first apply; pipelines that are added later do not move it. The packed functions lie beside it."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()=/-]*[A-Za-z0-9!_.'()=-]$", coalesce(var.settings_address, "s3://bucket/key"))) && !can(regex("^s3://[^/]*[.][.]", coalesce(var.settings_address, "s3://bucket/key")))
    error_message = "settings_address is s3://bucket/key, of letters, digits and ! _ . ' ( ) = - in the key, without '..' in the bucket's name; not so: ${coalesce(var.settings_address, "null")}."
  }
}

variable "ingest" {
  description = "The function that ingests: memory (MB), timeout (seconds), messages in a batch, seconds in which a batch gathers, invocations at once."
  type        = any
  nullable    = false
  default     = {}
}

variable "ingest_large" {
  description = "The same code with more time and memory, for drops of `drop_size` and more, one at a time."
  type        = any
  nullable    = false
  default     = {}
}

variable "compactor" {
  description = "The function that commits: memory (MB), timeout (seconds), how often it looks and how often it keeps the table up (schedule expressions)."
  type        = any
  nullable    = false
  default     = {}
}

variable "receive_count_max" {
  description = "How often a message is delivered before it goes to the dead-letter queue. Of a drop that waits for something that passes (denied, throttled, a closed pipeline) none does: from the sixth delivery on it is sent as a new message."
  type        = number
  default     = 12
  nullable    = false

  validation {
    condition     = contains(range(8, 1001), var.receive_count_max)
    error_message = "receive_count_max is 8 to 1,000: a drop that kills its invocation is quarantined at its third delivery, and what had to wait for others is sent anew from the sixth on."
  }
}

variable "ledger_deletion_protection" {
  description = "Whether DynamoDB refuses to delete the ledger. Without the ledger a table stays closed until it is rebuilt."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = "The key of queues, ledger, log groups and made buckets: an ARN, \"make\" for one of the module's own, or null for AWS's keys. An existing key's policy must let s3 (or events), sns where there are `topics`, logs and the account's roles use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || var.kms_key == "make" || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key))
    error_message = "kms_key is the ARN of a key, \"make\", or null."
  }
}

variable "bucket_kms_key_arns" {
  description = "The keys with which existing buckets encrypt what the functions read and write."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.bucket_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", arn))])
    error_message = "bucket_kms_key_arns are ARNs of keys (an alias names no key in a policy)."
  }
}

variable "log_retention_days" {
  description = "How long the functions' logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "log_filter" {
  description = "What the functions log, e.g. `info` or `info,ingest=debug`."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = alltrue([for part in split(",", var.log_filter) : can(regex("^\\s*([A-Za-z0-9_:]+=)?(?i:off|error|warn|info|debug|trace)\\s*$", part))])
    error_message = "log_filter is a level (off, error, warn, info, debug, trace), or PART=LEVEL such as ingest=debug, with commas between; '${var.log_filter}' is not."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms go to. Left away: they only show in CloudWatch."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null ? true : can(regex("^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}([.]fifo)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn is a topic's, arn:aws:sns:REGION:ACCOUNT:NAME; '${coalesce(var.alarm_topic_arn, "null")}' is not."
  }
}
