variable "function" {
  description = <<-TEXT
    The function.
      name, description     its own
      code                  where the packed `bootstrap` lies, and its hash (SHA-256, base64)
      architecture          arm64 or x86_64
      memory, timeout       MB, seconds
      policy                what it may do, as a policy document in JSON; leave to write its log is added
      log_retention_days    how long its log is kept
      kms_key_arn           key of the log group
      reserved_concurrency  concurrency that is kept for it, and its limit; null for none
  TEXT
  nullable    = false
  type = object({
    name                 = string
    description          = string
    code                 = object({ bucket = string, key = string, sha256 = string })
    architecture         = string
    memory               = number
    timeout              = number
    policy               = string
    log_retention_days   = number
    kms_key_arn          = optional(string)
    reserved_concurrency = optional(number)
  })
}

variable "environment" {
  description = "Its environment. Not a part of `function`, as it may speak of what is made late: role and log group need not wait for that."
  type        = map(string)
  nullable    = false
}
