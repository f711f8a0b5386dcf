# What cannot change once pipelines are open: a plan stops, before anything is written. The runs share a state.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
}

run "at_first" {
  command = apply
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late" }
    }
  }
}

run "another_source" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders2/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late" }
    }
  }
  expect_failures = [terraform_data.opened["orders"]]
}

run "another_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders2" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late" }
    }
  }
  expect_failures = [terraform_data.opened["orders"]]
}

run "other_overwrites" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late", overwrites = "ingest" }
    }
  }
  expect_failures = [terraform_data.opened["late"]]
}

run "another_name" {
  command = plan
  variables {
    name = "lithify2"
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late" }
    }
  }
  expect_failures = [terraform_data.name]
}

# All else may change, and the same place be written otherwise.
run "other_settings" {
  command = apply
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders/", format = "csv", longest_delay = "10m", target_file_size = "256MiB" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late" }
    }
  }

  assert {
    condition     = jsondecode(aws_s3_object.settings.content).pipelines[1].format == "csv"
    error_message = "The settings did not change."
  }
}

# What was remembered does not follow what is asked for.
run "another_source_after_other_settings" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders2/", table = "s3://lake/orders/", format = "csv" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late" }
    }
  }
  expect_failures = [terraform_data.opened["orders"]]
}

run "a_pipeline_is_removed_and_another_takes_its_place" {
  command = apply
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late2  = { source = "s3://drops/late2/", table = "s3://lake/late2" }
    }
  }

  assert {
    condition     = [for name, opened in terraform_data.opened : [name, opened.input.source]] == [["late2", "s3://drops/late2/"], ["orders", "s3://drops/orders/"]]
    error_message = "A removed pipeline stays, or a new one is not remembered."
  }
}

# What was never opened is not fixed: it is remembered after that, which no plan shows.
run "remembered_when_it_is_open" {
  command = plan
  module {
    source = "./tests/sources"
  }

  assert {
    condition     = alltrue([for what in ["opened", "name"] : output.waits_for["terraform_data.${what}"] == tolist(["aws_lambda_invocation.open"])])
    error_message = "A pipeline or the name is remembered before there is something to lose."
  }
}
