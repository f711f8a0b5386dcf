# The inputs that are objects, with their types, defaults and checks: the only place that tells them.
#
# The module outside takes them as they were written, so that it sees keys that no type names: on its way into an object Terraform drops those
# without a word.

variable "pipelines" {
  description = "As the module's outside, which says what each key means."
  nullable    = false

  type = map(object({
    source            = optional(string, "") # absent and null are told alike, below
    table             = optional(string, "")
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
    error_message = "A source is s3://bucket/prefix/ with a '/' at its end ('orders' alone would take 'orders-old/' as well), and none of * ? $ % & in it; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} (${pipeline.source == "" ? "none is given" : pipeline.source})" if !can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([A-Za-z0-9!_.'()@=+,: -][A-Za-z0-9!_.'()@=+,: /-]*/)?$", pipeline.source))])}."
  }
  validation {
    condition = var.event_delivery == "eventbridge" || alltrue([for pipeline in values(var.pipelines) :
    !can(regex("[@=+,: ]", trimprefix(pipeline.source, "s3://")))])
    error_message = "S3 wants these characters of a notification's prefix encoded in its own way: @ = + , : and blanks. Use event_delivery = \"eventbridge\" for such a source, or a shorter prefix."
  }
  validation {
    condition = alltrue([for pipeline in values(var.pipelines) :
    can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()=-]+(/[A-Za-z0-9!_.'()=-]+)*/?$", pipeline.table))])
    error_message = "A table is s3://bucket/path/to/table, of letters, digits and ! _ . ' ( ) = -; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} (${pipeline.table == "" ? "none is given" : pipeline.table})" if !can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()=-]+(/[A-Za-z0-9!_.'()=-]+)*/?$", pipeline.table))])}."
  }
  validation {
    condition = alltrue([for pipeline in values(var.pipelines) :
    !can(regex("^s3://[^/]*[.][.]", pipeline.source)) && !can(regex("^s3://[^/]*[.][.]", pipeline.table)) && !can(regex("/[.]{1,2}(/|$)", pipeline.table))])
    error_message = "A bucket's name has no '..', and no folder of a table is called '.' or '..'; not so: ${join(", ", [for name, pipeline in var.pipelines : name if
    can(regex("^s3://[^/]*[.][.]", pipeline.source)) || can(regex("^s3://[^/]*[.][.]", pipeline.table)) || can(regex("/[.]{1,2}(/|$)", pipeline.table))])}."
  }
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : [for address in [pipeline.source, pipeline.table] :
    length(join("/", slice(concat(split("/", trimprefix(address, "s3://")), [""]), 1, length(split("/", trimprefix(address, "s3://")))))) <= 1024]]))
    error_message = "A key on S3 has 1,024 characters at most, and a source's prefix or a table's path is longer in ${join(", ", distinct(flatten([for name, pipeline in var.pipelines : [for address in [pipeline.source, pipeline.table] :
    name if length(join("/", slice(concat(split("/", trimprefix(address, "s3://")), [""]), 1, length(split("/", trimprefix(address, "s3://")))))) > 1024]])))}."
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
  # What runtime's settings refuse of columns (values.rs), in their order.
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : concat(
      [for columns in [pipeline.cluster_by, pipeline.z_order_by] : columns == null ? true : length(columns) > 0],
      [for columns in [pipeline.cluster_by, pipeline.z_order_by, pipeline.partition_columns] : columns == null ? true : alltrue([for column in columns : try(trimspace(column), "") != ""])],
    )]))
    error_message = "cluster_by and z_order_by name columns, one at least, and no name of a column is empty, in partition_columns neither; not so: ${join(", ", distinct(flatten([for name, pipeline in var.pipelines : concat(
      [for columns in [pipeline.cluster_by, pipeline.z_order_by] : name if columns == null ? false : length(columns) == 0],
      [for columns in [pipeline.cluster_by, pipeline.z_order_by, pipeline.partition_columns] : name if columns == null ? false : anytrue([for column in columns : try(trimspace(column), "") == ""])],
    )])))}."
  }
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : [
      for columns in [pipeline.cluster_by, pipeline.z_order_by, pipeline.partition_columns] : columns == null ? true : length(distinct([for column in columns : try(lower(trimspace(column)), "")])) == length(columns)
    ]]))
    error_message = "A column is named twice (names that differ by case only are the same) in ${join(", ", distinct(flatten([for name, pipeline in var.pipelines : [
      for columns in [pipeline.cluster_by, pipeline.z_order_by, pipeline.partition_columns] : name if columns == null ? false : length(distinct([for column in columns : try(lower(trimspace(column)), "")])) < length(columns)
    ]])))}."
  }
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : [
      for columns in [pipeline.cluster_by, pipeline.z_order_by, pipeline.partition_columns] : columns == null ? [true] : [for column in columns : !can(regex("[\\p{Cc} ,;{}()=]|^`(?s:.*)`$", try(trimspace(column), "")))]
    ]]))
    error_message = "In a Delta table no column's name has blanks, control characters or any of , ; { } ( ) = (the table has _ there), and backticks belong to schema_hints; not so: ${join(", ", flatten([for name, pipeline in var.pipelines : [
      for columns in [pipeline.cluster_by, pipeline.z_order_by, pipeline.partition_columns] : columns == null ? [] : [for column in columns : "${name} ('${column}')" if can(regex("[\\p{Cc} ,;{}()=]|^`(?s:.*)`$", try(trimspace(column), "")))]
    ]]))}."
  }
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : pipeline.partition_columns == null ? [true] : [for column in pipeline.partition_columns :
    !contains(["_source_file", "_source_version", "_source_row", "_source_time", "_ingested_at", "_rescued_data"], try(lower(trimspace(column)), ""))]]))
    error_message = "A table is partitioned by data columns, not by those that Lithify writes for each row; not so: ${join(", ", [for name, pipeline in var.pipelines : name if pipeline.partition_columns == null ? false : anytrue([for column in pipeline.partition_columns :
    contains(["_source_file", "_source_version", "_source_row", "_source_time", "_ingested_at", "_rescued_data"], try(lower(trimspace(column)), ""))])])}."
  }
  # What runtime's settings refuse of columns that do not go together (relations.rs), and of a Z-order's (values.rs).
  validation {
    condition = alltrue(flatten([for pipeline in values(var.pipelines) : [for column in concat(coalesce(pipeline.cluster_by, []), coalesce(pipeline.z_order_by, [])) :
    !contains([for other in coalesce(pipeline.partition_columns, []) : try(lower(trimspace(other)), "")], try(lower(trimspace(column)), "")) || try(trimspace(column), "") == ""]]))
    error_message = "A partition column has one value in each file, so it orders nothing there: leave it out of cluster_by and z_order_by; not so: ${join(", ", flatten([for name, pipeline in var.pipelines : [for column in concat(coalesce(pipeline.cluster_by, []), coalesce(pipeline.z_order_by, [])) :
    "${name} ('${column}')" if contains([for other in coalesce(pipeline.partition_columns, []) : try(lower(trimspace(other)), "")], try(lower(trimspace(column)), "")) && try(trimspace(column), "") != ""]]))}."
  }
  validation {
    condition     = alltrue([for pipeline in values(var.pipelines) : length(coalesce(pipeline.z_order_by, [])) <= 8])
    error_message = "A Z-order takes 8 columns at most: of more, each has so few bits that it prunes nothing; not so: ${join(", ", [for name, pipeline in var.pipelines : "${name} (${length(pipeline.z_order_by)})" if length(coalesce(pipeline.z_order_by, [])) > 8])}."
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

variable "ingest" {
  description = "As the module's outside, which says what each key means."
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
    condition     = alltrue([for number in [var.ingest.memory, var.ingest.timeout, var.ingest.batch_size, var.ingest.batch_window, var.ingest.concurrency_max, var.ingest.reserved_concurrency] : number == null ? true : floor(number) == number])
    error_message = "The numbers of ingest are whole."
  }
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
  description = "As the module's outside, which says what each key means."
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
    condition     = alltrue([for number in [var.ingest_large.memory, var.ingest_large.timeout, var.ingest_large.concurrency_max, var.ingest_large.reserved_concurrency] : number == null ? true : floor(number) == number])
    error_message = "The numbers of ingest_large are whole."
  }
  validation {
    condition     = can(regex("(?i)^\\s*[0-9][0-9_]*([.][0-9]{1,9})?\\s*([kmgt]i?)?b\\s*$", var.ingest_large.drop_size)) && can(regex("[1-9]", var.ingest_large.drop_size))
    error_message = "drop_size is above zero and written like 64MiB; '${var.ingest_large.drop_size}' is not."
  }
  # The functions count bytes in 64 bits, and refuse all settings where they do not suffice (units.rs). What has a wrong form was told above.
  validation {
    condition = try(
      tonumber(regex("^\\s*([0-9.]+)", replace(var.ingest_large.drop_size, "_", ""))[0]) * pow(endswith(lower(trimspace(var.ingest_large.drop_size)), "ib") ? 1024 : 1000, index(["", "k", "m", "g", "t"], lower(regex("([kmgtKMGT]?)[iI]?[bB]\\s*$", var.ingest_large.drop_size)[0]))),
      0,
    ) < 18446744073709551616
    error_message = "drop_size is below 16777216TiB; '${var.ingest_large.drop_size}' is not."
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
  description = "As the module's outside, which says what each key means."
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
    condition     = alltrue([for number in [var.compactor.memory, var.compactor.timeout, var.compactor.reserved_concurrency] : number == null ? true : floor(number) == number])
    error_message = "The numbers of compactor are whole."
  }
  validation {
    condition = alltrue([for text in [var.compactor.schedule, var.compactor.upkeep_schedule] :
      can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([^ )]+( [^ )]+){5}\\))$", text))
    ])
    error_message = "A schedule is rate(N UNITS) of minutes, hours or days (rate(1 minute), rate(5 minutes)), or cron(...) with six fields (cron(0 2 * * ? *)); not so: ${join(", ", [for text in [var.compactor.schedule, var.compactor.upkeep_schedule] : "'${text}'" if !can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([^ )]+( [^ )]+){5}\\))$", text))])}."
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

variable "event_delivery" {
  description = "As the module's outside: S3 takes fewer characters of a prefix than EventBridge."
  type        = string
  default     = "s3"
  nullable    = false
}
