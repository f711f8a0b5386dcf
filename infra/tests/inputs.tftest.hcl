# What is refused of the objects among the inputs, by their own module: a test cannot expect the failures of a module within another.

variables {
  pipelines = {
    orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
  }
}

# The rest of this file changes one thing each, so this must pass.
run "what_is_right" {
  command = plan
  module {
    source = "./modules/inputs"
  }
}

run "no_pipeline" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {}
  }
  expect_failures = [var.pipelines]
}

run "a_name_that_leaves_its_folder" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      "../orders" = { source = "s3://drops/orders/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "names_that_differ_by_case" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      Orders = { source = "s3://drops/other/", table = "s3://lake/other" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_prefix_without_a_slash" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_bucket_without_a_slash" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_wildcard_in_a_prefix" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/*/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_source_that_is_no_bucket" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "/drops/orders/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_prefix_that_s3_wants_encoded" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/day=1/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_that_is_a_whole_bucket" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_with_an_empty_folder" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake//orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_unknown_format" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", format = "xls" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_unknown_compression" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", compression = "rar" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_unknown_policy_for_overwrites" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", overwrites = "perhaps" }
    }
  }
  expect_failures = [var.pipelines]
}

run "two_orders_of_rows" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["a"], z_order_by = ["b"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_ambiguous_size" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "128M" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_size_of_nothing" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "0MiB" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_empty_format" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", format = "" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_empty_compression" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", compression = "" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_no_column" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = [] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_column_without_a_name" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["a", " "] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_column_twice" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["a", "A "] }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_partition_by_a_column_twice" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", partition_columns = ["day", "Day"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_partition_by_a_column_without_a_name" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", partition_columns = ["day", ""] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_name_that_delta_forbids" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["order id"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_partition_by_a_name_that_delta_forbids" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", partition_columns = ["a=b"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_name_with_a_control_character" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["a\tb"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_name_in_backticks" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["`a`"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_partition_by_a_column_of_ours" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", partition_columns = ["_Source_Time"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_partition_column" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["a", " Day"], partition_columns = ["day "] }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_z_order_by_a_partition_column" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["day"], partition_columns = ["month", "day"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_z_order_by_nine_columns" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["a", "b", "c", "d", "e", "f", "g", "h", "i"] }
    }
  }
  expect_failures = [var.pipelines]
}

# As many as a Z-order takes, and a partition by another column.
run "a_z_order_by_eight_columns" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["a", "b", "c", "d", "e", "f", "g", "h"], partition_columns = ["day"] }
    }
  }
}

run "a_source_bucket_with_two_dots" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://dr..ops/orders/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_bucket_with_two_dots" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://la..ke/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_in_a_folder_called_dot" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/./orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_beside_itself" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders/.." }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_whose_path_no_key_holds" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/${join("", [for n in range(103) : "0123456789"])}" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_source_whose_prefix_no_key_holds" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/${join("", [for n in range(103) : "0123456789"])}/", table = "s3://lake/t" }
    }
  }
  expect_failures = [var.pipelines]
}

run "no_delay_at_all" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "0s" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_delay_with_the_smaller_unit_first" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "30m1h" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_empty_delay" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_delay_without_a_unit" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "5" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_staged_age_that_is_no_duration" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", staged_age_alarm = "soon" }
    }
  }
  expect_failures = [var.pipelines]
}

run "half_an_hour_of_silence" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", no_drops_hours = 0.5 }
    }
  }
  expect_failures = [var.pipelines]
}

run "more_silence_than_cloudwatch_sees" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", no_drops_hours = 169 }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_large_batch_without_a_window" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest = { batch_size = 100, batch_window = 0 }
  }
  expect_failures = [var.ingest]
}

run "a_batch_beyond_what_lambda_takes" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest = { batch_size = 10001 }
  }
  expect_failures = [var.ingest]
}

run "one_invocation_at_once" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest = { concurrency_max = 1 }
  }
  expect_failures = [var.ingest]
}

run "more_time_than_lambda_has" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { timeout = 901 }
  }
  expect_failures = [var.ingest_large]
}

run "less_time_for_large_drops" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { timeout = 60 }
  }
  expect_failures = [var.ingest_large]
}

run "a_large_drop_of_no_size" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { drop_size = "large" }
  }
  expect_failures = [var.ingest_large]
}

run "a_large_drop_of_nothing" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { drop_size = "0B" }
  }
  expect_failures = [var.ingest_large]
}

run "a_large_drop_beyond_what_is_counted" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { drop_size = "16777216 TiB" }
  }
  expect_failures = [var.ingest_large]
}

run "a_large_drop_of_more_digits_than_are_counted" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { drop_size = "18_446_744_073_709_551_616b" }
  }
  expect_failures = [var.ingest_large]
}

# The greatest size that a function can read, by other units.
run "a_drop_that_is_never_large" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { drop_size = "18446744073.709551615 GB" }
  }
}

run "less_concurrency_than_the_queue_calls_for" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest = { reserved_concurrency = 9 }
  }
  expect_failures = [var.ingest]
}

run "less_concurrency_than_the_large_queue_calls_for" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { reserved_concurrency = 4 }
  }
  expect_failures = [var.ingest_large]
}

run "a_compactor_that_is_switched_off" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { reserved_concurrency = 0 }
  }
  expect_failures = [var.compactor]
}

run "a_rate_beyond_what_the_alarm_sees" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { schedule = "rate(2 days)" }
  }
  expect_failures = [var.compactor]
}

run "a_schedule_that_is_none" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { schedule = "every minute" }
  }
  expect_failures = [var.compactor]
}

run "half_a_second" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest = { timeout = 30.5 }
  }
  expect_failures = [var.ingest]
}

run "half_a_megabyte" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    ingest_large = { memory = 3008.5 }
  }
  expect_failures = [var.ingest_large]
}

run "half_a_megabyte_of_the_compactor" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { memory = 3008.5 }
  }
  expect_failures = [var.compactor]
}

run "a_rate_of_nothing" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { upkeep_schedule = "rate(0 hours)" }
  }
  expect_failures = [var.compactor]
}

run "a_rate_in_the_wrong_number" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { upkeep_schedule = "rate(1 hours)" }
  }
  expect_failures = [var.compactor]
}

run "a_cron_of_too_few_fields" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { schedule = "cron(0 2 * * *)" }
  }
  expect_failures = [var.compactor]
}

run "schedules_by_the_clock" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    compactor = { schedule = "cron(0/5 * * * ? *)", upkeep_schedule = "rate(7 days)" }
  }
}

run "no_source" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = null, table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "no_table" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/" }
    }
  }
  expect_failures = [var.pipelines]
}
