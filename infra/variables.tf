# What the module is given. `pipelines` is where values are chosen; all else has a default that fits most.

variable "pipelines" {
  description = <<-TEXT
    The pipelines by name: one source prefix, a format and a target table each. Keys mean what they mean in `lithify.toml`.
    Terraform drops keys that are not in this list without a word: a misspelt one has no effect.
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
      no_drops_hours     alarm when nothing arrived for so many hours (1 to 168); left away: no alarm
      staged_age_alarm   alarm when staged rows wait longer than this; left away: longest_delay and half an hour
  TEXT
  nullable    = false

  type = map(object({
    source            = string
    table             = string
    format            = optional(string)
    compression       = optional(string)
    schema_hints      = optional(string)
    cluster_by        = optional(list(string))
    z_order_by        = optional(list(string))
    partition_columns = optional(list(string))
    target_file_size  = optional(string, "128MiB")
    longest_delay     = optional(string, "5m")
    append_existing   = optional(bool, false)
    overwrites        = optional(string, "ignore")
    no_drops_hours    = optional(number)
    staged_age_alarm  = optional(string)
  }))

  validation {
    condition     = length(var.pipelines) > 0
    error_message = "There is no pipeline: name at least one."
  }
  validation {
    condition     = alltrue([for name in keys(var.pipelines) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", name))])
    error_message = "A pipeline's name is 1 to 64 letters, digits, '_' or '-' and begins with a letter or digit; not so: ${join(", ", [for name in keys(var.pipelines) : "'${name}'" if !can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", name))])}."
  }
  validation {
    condition     = length(distinct([for name in keys(var.pipelines) : lower(name)])) == length(var.pipelines)
    error_message = "Two pipelines have names that differ by case only: they name folders, choose another."
  }
  validation {
    condition = alltrue([for pipeline in values(var.pipelines) :
    can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([A-Za-z0-9!_.'()@=+,: -][A-Za-z0-9!_.'()@=+,: /-]*/)?$", pipeline.source))])
    error_message = "A source is s3://bucket/prefix/ with a '/' at its end ('orders' alone would take 'orders-old/' as well), and none of * ? $ % & in it; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} (${pipeline.source})" if !can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([A-Za-z0-9!_.'()@=+,: -][A-Za-z0-9!_.'()@=+,: /-]*/)?$", pipeline.source))])}."
  }
  validation {
    condition = var.event_delivery == "eventbridge" || alltrue([for pipeline in values(var.pipelines) :
    !can(regex("[@=+,: ]", trimprefix(pipeline.source, "s3://")))])
    error_message = "S3 wants these characters of a notification's prefix encoded in its own way: @ = + , : and blanks. Use event_delivery = \"eventbridge\" for such a source, or a shorter prefix."
  }
  validation {
    condition = alltrue([for pipeline in values(var.pipelines) :
    can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()=-]+(/[A-Za-z0-9!_.'()=-]+)*/?$", pipeline.table))])
    error_message = "A table is s3://bucket/path/to/table, of letters, digits and ! _ . ' ( ) = -; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} (${pipeline.table})" if !can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()=-]+(/[A-Za-z0-9!_.'()=-]+)*/?$", pipeline.table))])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : pipeline.format == null ? true : contains(["json", "csv"], lower(trimspace(pipeline.format)))])
    error_message = "A format is json or csv; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} ('${pipeline.format}')" if pipeline.format == null ? false : !contains(["json", "csv"], lower(trimspace(pipeline.format)))])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : pipeline.compression == null ? true : contains(["none", "gzip", "zstd"], lower(trimspace(pipeline.compression)))])
    error_message = "A compression is none, gzip or zstd; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} ('${pipeline.compression}')" if pipeline.compression == null ? false : !contains(["none", "gzip", "zstd"], lower(trimspace(pipeline.compression)))])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : contains(["ignore", "ingest"], pipeline.overwrites)])
    error_message = "overwrites is \"ignore\" or \"ingest\"; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} ('${pipeline.overwrites}')" if !contains(["ignore", "ingest"], pipeline.overwrites)])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : pipeline.cluster_by == null || pipeline.z_order_by == null])
    error_message = "Rows can be sorted (cluster_by) or lie in a Z-order (z_order_by), not both: leave one away in ${join(", ", [for name, pipeline in var.pipelines : name if pipeline.cluster_by != null && pipeline.z_order_by != null])}."
  }
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : [
      for columns in [pipeline.cluster_by, pipeline.z_order_by] : columns == null ? true : length(columns) > 0 && alltrue([for column in columns : try(trimspace(column), "") != ""])
    ]]))
    error_message = "cluster_by and z_order_by name columns, one at least; not so: ${join(", ", distinct(flatten([for name, pipeline in var.pipelines : [
      for columns in [pipeline.cluster_by, pipeline.z_order_by] : name if columns == null ? false : length(columns) == 0 || anytrue([for column in columns : try(trimspace(column), "") == ""])
    ]])))}."
  }
  # Form, and more than zero. How large and how long they may be is looked at where they are numbers (settings.tf).
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : can(regex("(?i)^\\s*[0-9][0-9_]*([.][0-9]{1,9})?\\s*([kmgt]i?)?b\\s*$", pipeline.target_file_size)) && can(regex("[1-9]", pipeline.target_file_size))])
    error_message = "target_file_size is above zero and written like 128MiB, 512MB or 1GiB; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} ('${pipeline.target_file_size}')" if !(can(regex("(?i)^\\s*[0-9][0-9_]*([.][0-9]{1,9})?\\s*([kmgt]i?)?b\\s*$", pipeline.target_file_size)) && can(regex("[1-9]", pipeline.target_file_size)))])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : can(regex("^(\\s*[0-9]+\\s*d)?(\\s*[0-9]+\\s*h)?(\\s*[0-9]+\\s*m)?(\\s*[0-9]+\\s*s)?(\\s*[0-9]+\\s*ms)?\\s*$", pipeline.longest_delay)) && can(regex("[1-9]", pipeline.longest_delay))])
    error_message = "longest_delay is above zero and written like 90s, 5m or 1h30m, the greater unit first; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} ('${pipeline.longest_delay}')" if !(can(regex("^(\\s*[0-9]+\\s*d)?(\\s*[0-9]+\\s*h)?(\\s*[0-9]+\\s*m)?(\\s*[0-9]+\\s*s)?(\\s*[0-9]+\\s*ms)?\\s*$", pipeline.longest_delay)) && can(regex("[1-9]", pipeline.longest_delay)))])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : pipeline.staged_age_alarm == null ? true : can(regex("^(\\s*[0-9]+\\s*d)?(\\s*[0-9]+\\s*h)?(\\s*[0-9]+\\s*m)?(\\s*[0-9]+\\s*s)?(\\s*[0-9]+\\s*ms)?\\s*$", pipeline.staged_age_alarm)) && can(regex("[1-9]", pipeline.staged_age_alarm))])
    error_message = "staged_age_alarm is above zero and written like 90s, 5m or 1h30m, the greater unit first; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} ('${pipeline.staged_age_alarm}')" if pipeline.staged_age_alarm == null ? false : !(can(regex("^(\\s*[0-9]+\\s*d)?(\\s*[0-9]+\\s*h)?(\\s*[0-9]+\\s*m)?(\\s*[0-9]+\\s*s)?(\\s*[0-9]+\\s*ms)?\\s*$", pipeline.staged_age_alarm)) && can(regex("[1-9]", pipeline.staged_age_alarm)))])}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : pipeline.no_drops_hours == null ? true : contains(range(1, 169), pipeline.no_drops_hours)])
    error_message = "no_drops_hours is a whole number from 1 to 168 (CloudWatch looks back seven days at most); not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} (${pipeline.no_drops_hours})" if pipeline.no_drops_hours == null ? false : !contains(range(1, 169), pipeline.no_drops_hours)])}."
  }
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
    condition     = can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()=/-]*[A-Za-z0-9!_.'()=-]$", coalesce(var.settings_address, "s3://bucket/key")))
    error_message = "settings_address is s3://bucket/key."
  }
}

variable "ingest" {
  description = "The function that ingests: memory (MB), timeout (seconds), messages in a batch, seconds in which a batch gathers, invocations at once."
  nullable    = false
  default     = {}
  type = object({
    memory               = optional(number, 1769)
    timeout              = optional(number, 120)
    batch_size           = optional(number, 1000)
    batch_window         = optional(number, 20)
    concurrency_max      = optional(number, 10)
    reserved_concurrency = optional(number)
  })

  validation {
    condition     = var.ingest.batch_size >= 1 && var.ingest.batch_size <= 10000 && var.ingest.batch_window >= 0 && var.ingest.batch_window <= 300
    error_message = "A batch is of 1 to 10,000 messages and gathers for 0 to 300 seconds."
  }
  validation {
    condition     = var.ingest.batch_size <= 10 || var.ingest.batch_window >= 1
    error_message = "A batch of more than 10 messages needs a batch_window of a second or more."
  }
  validation {
    condition     = var.ingest.concurrency_max >= 2 && var.ingest.concurrency_max <= 1000
    error_message = "concurrency_max is 2 to 1,000."
  }
  validation {
    condition     = var.ingest.reserved_concurrency == null ? true : var.ingest.reserved_concurrency >= var.ingest.concurrency_max
    error_message = "ingest.reserved_concurrency (${coalesce(var.ingest.reserved_concurrency, 0)}) is below ingest.concurrency_max (${var.ingest.concurrency_max}): the queue would call more often than the function may run, and each refused call uses up a delivery of its messages until they are dead letters. Raise reserved_concurrency to ${var.ingest.concurrency_max} or more, or lower concurrency_max."
  }
  validation {
    condition     = var.ingest.timeout >= 30 && var.ingest.timeout <= 900 && var.ingest.memory >= 256 && var.ingest.memory <= 10240
    error_message = "timeout is 30 to 900 seconds, memory 256 to 10,240 MB."
  }
}

variable "ingest_large" {
  description = "The same code with more time and memory, for drops of `drop_size` and more, one at a time."
  nullable    = false
  default     = {}
  type = object({
    drop_size            = optional(string, "64MiB")
    memory               = optional(number, 3008)
    timeout              = optional(number, 900)
    concurrency_max      = optional(number, 5)
    reserved_concurrency = optional(number)
  })

  validation {
    condition     = can(regex("(?i)^\\s*[0-9][0-9_]*([.][0-9]{1,9})?\\s*([kmgt]i?)?b\\s*$", var.ingest_large.drop_size)) && can(regex("[1-9]", var.ingest_large.drop_size))
    error_message = "drop_size is above zero and written like 64MiB; '${var.ingest_large.drop_size}' is not."
  }
  validation {
    condition     = var.ingest_large.concurrency_max >= 2 && var.ingest_large.concurrency_max <= 1000
    error_message = "concurrency_max is 2 to 1,000."
  }
  validation {
    condition     = var.ingest_large.reserved_concurrency == null ? true : var.ingest_large.reserved_concurrency >= var.ingest_large.concurrency_max
    error_message = "ingest_large.reserved_concurrency (${coalesce(var.ingest_large.reserved_concurrency, 0)}) is below ingest_large.concurrency_max (${var.ingest_large.concurrency_max}): the queue would call more often than the function may run, and each refused call uses up a delivery of its messages until they are dead letters. Raise reserved_concurrency to ${var.ingest_large.concurrency_max} or more, or lower concurrency_max."
  }
  validation {
    condition     = var.ingest_large.timeout >= var.ingest.timeout && var.ingest_large.timeout <= 900 && var.ingest_large.memory >= 256 && var.ingest_large.memory <= 10240
    error_message = "timeout is at least that of ingest and at most 900 seconds, memory 256 to 10,240 MB."
  }
}

variable "compactor" {
  description = "The function that commits: memory (MB), timeout (seconds), how often it looks and how often it keeps the table up (schedule expressions)."
  nullable    = false
  default     = {}
  type = object({
    memory               = optional(number, 3008)
    timeout              = optional(number, 900)
    schedule             = optional(string, "rate(1 minute)")
    upkeep_schedule      = optional(string, "rate(1 hour)")
    reserved_concurrency = optional(number)
  })

  validation {
    condition     = alltrue([for text in [var.compactor.schedule, var.compactor.upkeep_schedule] : can(regex("^(rate|cron)\\(.+\\)$", text))])
    error_message = "A schedule is rate(...) or cron(...)."
  }
  # The alarm on staged runs looks over five runs, and CloudWatch back over seven days.
  validation {
    condition = anytrue([
      startswith(var.compactor.schedule, "cron("),
      contains(range(1, 1001), try(tonumber(regex("^rate\\(([0-9]+) minutes?\\)$", var.compactor.schedule)[0]), 0)),
      contains(range(1, 25), try(tonumber(regex("^rate\\(([0-9]+) hours?\\)$", var.compactor.schedule)[0]), 0)),
      var.compactor.schedule == "rate(1 day)",
    ])
    error_message = "The compactor's schedule is rate(1 minute) to rate(1000 minutes), rate(1 hour) to rate(24 hours), rate(1 day) or cron(...); '${var.compactor.schedule}' is not."
  }
  validation {
    condition     = var.compactor.reserved_concurrency == null ? true : var.compactor.reserved_concurrency >= 1
    error_message = "compactor.reserved_concurrency is 1 at least: with 0 it cannot run, and the pipelines are not opened."
  }
  validation {
    condition     = var.compactor.timeout >= 60 && var.compactor.timeout <= 900 && var.compactor.memory >= 256 && var.compactor.memory <= 10240
    error_message = "timeout is 60 to 900 seconds, memory 256 to 10,240 MB."
  }
}

variable "receive_count_max" {
  description = "How often a message is delivered before it goes to the dead-letter queue. Throttling and a ledger that is not open yet use deliveries up too."
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
  description = "The key of queues, ledger, log groups and made buckets: an ARN, \"make\" for one of the module's own, or null for AWS's keys. An existing key's policy must let s3 (or events), logs and the account's roles use it."
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
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms go to. Left away: they only show in CloudWatch."
  type        = string
  default     = null
}
