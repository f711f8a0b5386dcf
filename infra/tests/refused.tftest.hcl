# What is refused, before anything is made.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zips = { ingest = "tests/fixtures/function.zip", compactor = "tests/fixtures/function.zip" }
  pipelines = {
    orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
  }
}

# The rest of this file changes one thing each, so this must pass.
run "what_is_right" {
  command = plan
}

run "no_pipeline" {
  command = plan
  variables {
    pipelines = {}
  }
  expect_failures = [var.pipelines]
}

run "a_name_that_leaves_its_folder" {
  command = plan
  variables {
    pipelines = {
      "../orders" = { source = "s3://drops/orders/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "names_that_differ_by_case" {
  command = plan
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
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_bucket_without_a_slash" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_wildcard_in_a_prefix" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/*/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_source_that_is_no_bucket" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "/drops/orders/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_prefix_that_s3_wants_encoded" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/day=1/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_that_is_a_whole_bucket" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_table_with_an_empty_folder" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake//orders" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_unknown_format" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", format = "xls" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_unknown_compression" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", compression = "rar" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_unknown_policy_for_overwrites" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", overwrites = "perhaps" }
    }
  }
  expect_failures = [var.pipelines]
}

run "two_orders_of_rows" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["a"], z_order_by = ["b"] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_ambiguous_size" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "128M" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_size_of_nothing" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "0MiB" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_size_of_half_a_mebibyte" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "0.5MiB" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_size_above_what_a_file_may_have" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "1TiB" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "an_empty_format" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", format = "" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_empty_compression" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", compression = "" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_no_column" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = [] }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_order_by_a_column_without_a_name" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", z_order_by = ["a", " "] }
    }
  }
  expect_failures = [var.pipelines]
}

run "no_delay_at_all" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "0s" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_delay_beyond_a_month" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "31d" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_delay_with_the_smaller_unit_first" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "30m1h" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_empty_delay" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "" }
    }
  }
  expect_failures = [var.pipelines]
}

run "an_alarm_that_always_rings" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "1h", staged_age_alarm = "60m" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_delay_without_a_unit" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "5" }
    }
  }
  expect_failures = [var.pipelines]
}

run "a_staged_age_that_is_no_duration" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", staged_age_alarm = "soon" }
    }
  }
  expect_failures = [var.pipelines]
}

run "half_an_hour_of_silence" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", no_drops_hours = 0.5 }
    }
  }
  expect_failures = [var.pipelines]
}

run "more_silence_than_cloudwatch_sees" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", no_drops_hours = 169 }
    }
  }
  expect_failures = [var.pipelines]
}

run "functions_that_were_not_built" {
  command = plan
  variables {
    zips = { ingest = "tests/fixtures/absent.zip", compactor = "tests/fixtures/function.zip" }
  }
  expect_failures = [var.zips]
}

run "an_unknown_architecture" {
  command = plan
  variables {
    architecture = "riscv"
  }
  expect_failures = [var.architecture]
}

run "a_name_with_a_blank" {
  command = plan
  variables {
    name = "our lithify"
  }
  expect_failures = [var.name]
}

run "an_unknown_delivery" {
  command = plan
  variables {
    event_delivery = "pigeon"
  }
  expect_failures = [var.event_delivery]
}

run "a_large_batch_without_a_window" {
  command = plan
  variables {
    ingest = { batch_size = 100, batch_window = 0 }
  }
  expect_failures = [var.ingest]
}

run "a_batch_beyond_what_lambda_takes" {
  command = plan
  variables {
    ingest = { batch_size = 10001 }
  }
  expect_failures = [var.ingest]
}

run "one_invocation_at_once" {
  command = plan
  variables {
    ingest = { concurrency_max = 1 }
  }
  expect_failures = [var.ingest]
}

run "more_time_than_lambda_has" {
  command = plan
  variables {
    ingest_large = { timeout = 901 }
  }
  expect_failures = [var.ingest_large]
}

run "less_time_for_large_drops" {
  command = plan
  variables {
    ingest_large = { timeout = 60 }
  }
  expect_failures = [var.ingest_large]
}

run "a_large_drop_of_no_size" {
  command = plan
  variables {
    ingest_large = { drop_size = "large" }
  }
  expect_failures = [var.ingest_large]
}

run "a_large_drop_of_nothing" {
  command = plan
  variables {
    ingest_large = { drop_size = "0B" }
  }
  expect_failures = [var.ingest_large]
}

run "less_concurrency_than_the_queue_calls_for" {
  command = plan
  variables {
    ingest = { reserved_concurrency = 9 }
  }
  expect_failures = [var.ingest]
}

run "less_concurrency_than_the_large_queue_calls_for" {
  command = plan
  variables {
    ingest_large = { reserved_concurrency = 4 }
  }
  expect_failures = [var.ingest_large]
}

run "a_compactor_that_is_switched_off" {
  command = plan
  variables {
    compactor = { reserved_concurrency = 0 }
  }
  expect_failures = [var.compactor]
}

run "a_rate_beyond_what_the_alarm_sees" {
  command = plan
  variables {
    compactor = { schedule = "rate(2 days)" }
  }
  expect_failures = [var.compactor]
}

run "a_schedule_that_is_none" {
  command = plan
  variables {
    compactor = { schedule = "every minute" }
  }
  expect_failures = [var.compactor]
}

run "dead_letters_before_the_quarantine" {
  command = plan
  variables {
    receive_count_max = 7
  }
  expect_failures = [var.receive_count_max]
}

run "an_alias_for_a_key" {
  command = plan
  variables {
    kms_key = "alias/mine"
  }
  expect_failures = [var.kms_key]
}

run "an_alias_for_a_bucket_key" {
  command = plan
  variables {
    bucket_kms_key_arns = ["alias/mine"]
  }
  expect_failures = [var.bucket_kms_key_arns]
}

run "a_retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "settings_without_a_key" {
  command = plan
  variables {
    settings_address = "s3://config/"
  }
  expect_failures = [var.settings_address]
}

run "a_bucket_that_nobody_uses" {
  command = plan
  variables {
    make_buckets = ["other"]
  }
  expect_failures = [aws_s3_bucket.made]
}

run "a_source_within_another" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/orders/late/", table = "s3://lake/late" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "the_same_source_twice" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/orders/", table = "s3://lake/late" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_table_within_its_source" {
  command = plan
  variables {
    # Elsewhere, or the settings would lie in the source as well.
    settings_address = "s3://config/settings.json"
    pipelines = {
      orders = { source = "s3://drops/", table = "s3://drops/tables/orders" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_source_within_a_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://lake/orders/in/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_source_within_an_audit_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://lake/orders_drops/in/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_source_within_anothers_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://lake/orders/late/", table = "s3://lake/late" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_table_within_another" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/late/", table = "s3://lake/orders/late" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_table_that_is_an_audit_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/late/", table = "s3://lake/orders_drops" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "settings_among_the_drops" {
  command = plan
  variables {
    settings_address = "s3://drops/orders/settings.json"
  }
  expect_failures = [aws_s3_object.settings]
}

run "settings_in_a_table" {
  command = plan
  variables {
    settings_address = "s3://lake/orders/settings.json"
  }
  expect_failures = [aws_s3_object.settings]
}

run "more_notifications_than_a_bucket_takes" {
  command = plan
  variables {
    pipelines = { for number in range(101) : "p${number}" => { source = "s3://drops/${number}/", table = "s3://lake/t" } }
  }
  expect_failures = [aws_s3_bucket_notification.source]
}

# Near each other, and right.
run "neighbours" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/orders-late/", table = "s3://lake/orders2" }
      more   = { source = "s3://drops/more/", table = "s3://lake/orders" }
      tiny   = { source = "s3://lake/in/", table = "s3://lake/out", target_file_size = "1.5 GiB", longest_delay = "1h 30m" }
      odd    = { source = "s3://lake/odd/", table = "s3://lake/odds", target_file_size = "2_000 kB", longest_delay = "250ms", format = "JSON", staged_age_alarm = "2d 12h" }
    }
    ingest       = { reserved_concurrency = 10 }
    ingest_large = { reserved_concurrency = 5, drop_size = "1b" }
    compactor    = { reserved_concurrency = 1, schedule = "rate(1 day)" }
  }
}

run "an_encoded_prefix_by_eventbridge" {
  command = plan
  variables {
    event_delivery = "eventbridge"
    pipelines = {
      orders = { source = "s3://drops/day=1/some more/", table = "s3://lake/orders" }
    }
  }
}
