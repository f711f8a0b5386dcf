# Sizes and durations as people write them, in bytes and seconds. That they are some was seen when they were given (variables.tf).

locals {
  size_units     = { b = 1, kb = 1e3, mb = 1e6, gb = 1e9, tb = 1e12, kib = 1024, mib = 1048576, gib = 1073741824, tib = 1099511627776 }
  duration_units = { d = 86400, h = 3600, m = 60, s = 1, ms = 0.001 }

  # "1.5 GiB"
  bytes = { for text in distinct(values(module.inputs.pipelines)[*].target_file_size) : text => sum([
    for part in regexall("([0-9.]+)\\s*([a-z]+)", replace(lower(text), "_", "")) : tonumber(part[0]) * local.size_units[part[1]]
  ]) }

  # "1h 30m"
  seconds = { for text in distinct(concat(values(module.inputs.pipelines)[*].longest_delay, compact(values(module.inputs.pipelines)[*].staged_age_alarm))) : text => sum([
    for part in regexall("([0-9]+)\\s*(ms|[dhms])", text) : tonumber(part[0]) * local.duration_units[part[1]]
  ]) }

  # What the functions would refuse, and an alarm that would always ring.
  wrong_sizes  = [for name, pipeline in module.inputs.pipelines : "${name} ('${pipeline.target_file_size}')" if local.bytes[pipeline.target_file_size] < 1048576 || local.bytes[pipeline.target_file_size] > 8589934592]
  wrong_delays = [for name, pipeline in module.inputs.pipelines : "${name} ('${pipeline.longest_delay}')" if local.seconds[pipeline.longest_delay] > 2592000]
  wrong_alarms = [for name, pipeline in module.inputs.pipelines : "${name} ('${pipeline.staged_age_alarm}')" if pipeline.staged_age_alarm == null ? false : local.seconds[pipeline.staged_age_alarm] <= local.seconds[pipeline.longest_delay]]
}
