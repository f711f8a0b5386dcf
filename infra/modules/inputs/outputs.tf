# What was given, with defaults.

output "pipelines" {
  description = "The pipelines by name."
  value       = var.pipelines
}

output "ingest" {
  description = "The function that ingests."
  value       = var.ingest
}

output "ingest_large" {
  description = "The same code for large drops."
  value       = var.ingest_large
}

output "compactor" {
  description = "The function that commits."
  value       = var.compactor
}
