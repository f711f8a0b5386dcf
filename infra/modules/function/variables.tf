variable "function" {
  description = <<-TEXT
    The function.
      name, description     its own
      zip                   path of the packed `bootstrap`
      architecture          arm64 or x86_64
      memory, timeout       MB, seconds
      environment           its environment
      policy                what it may do, as a policy document in JSON; leave to write its log is added
      log_retention_days    how long its log is kept
      kms_key_arn           key of the log group
      reserved_concurrency  concurrency that is kept for it, and its limit; null for none
  TEXT
  nullable    = false
  type = object({
    name                 = string
    description          = string
    zip                  = string
    architecture         = string
    memory               = number
    timeout              = number
    environment          = map(string)
    policy               = string
    log_retention_days   = number
    kms_key_arn          = optional(string)
    reserved_concurrency = optional(number)
  })
}
