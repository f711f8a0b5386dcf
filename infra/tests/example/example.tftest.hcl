# The smallest root, as it is copied: `cargo xtask test` lays the checkout out as it is after a build and runs this in infra/example.

mock_provider "aws" {
  source = "../tests/mocks"
}

run "the_example" {
  command = apply

  assert {
    condition     = alltrue([for name in ["ingest", "ingest_large", "compactor"] : output.lithify.functions[name] != ""])
    error_message = "The example does not tell its functions: ${jsonencode(output.lithify.functions)}"
  }
  assert {
    condition     = output.lithify.ledger != "" && output.lithify.queues != null
    error_message = "The example does not tell its ledger and its queues."
  }
}
