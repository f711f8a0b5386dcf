# The objects among the inputs, typed and with defaults; and the keys that are none of theirs.

module "inputs" {
  source = "./modules/inputs"

  pipelines      = var.pipelines
  ingest         = var.ingest
  ingest_large   = var.ingest_large
  compactor      = var.compactor
  event_delivery = var.event_delivery
}

locals {
  # By what a person would call each: what was written, and what the types name.
  written_keys = merge(
    { for name, pipeline in var.pipelines : "the pipeline ${name}" => keys(pipeline) },
    { ingest = keys(var.ingest), ingest_large = keys(var.ingest_large), compactor = keys(var.compactor) },
  )
  known_keys = merge(
    { for name, pipeline in module.inputs.pipelines : "the pipeline ${name}" => keys(pipeline) },
    { ingest = keys(module.inputs.ingest), ingest_large = keys(module.inputs.ingest_large), compactor = keys(module.inputs.compactor) },
  )
  unknown_keys = { for where, written in local.written_keys : where => setsubtract(written, local.known_keys[where])
  if length(setsubtract(written, local.known_keys[where])) > 0 }
  # Pipelines know the same keys, which are told once.
  keys_to_choose_from = { for where in keys(local.unknown_keys) : replace(where, "/^the pipeline .*/", "a pipeline") => join(", ", local.known_keys[where])... }
}
