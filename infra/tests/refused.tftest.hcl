# What is refused, before anything is made. What one of the objects among the inputs may hold is tried in inputs.tftest.hcl.

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

run "a_delay_beyond_a_month" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", longest_delay = "31d" }
    }
  }
  expect_failures = [aws_s3_object.settings]
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

run "an_account_that_lost_its_zero" {
  command = plan
  variables {
    source_accounts = [12345678901]
  }
  expect_failures = [var.source_accounts]
}

run "an_account_by_name" {
  command = plan
  variables {
    source_accounts = ["vendor"]
  }
  expect_failures = [var.source_accounts]
}

run "every_account" {
  command = plan
  variables {
    source_accounts = ["*"]
  }
  expect_failures = [var.source_accounts]
}

run "a_topic_by_name" {
  command = plan
  variables {
    topics = ["drops"]
  }
  expect_failures = [var.topics]
}

run "every_topic_of_an_account" {
  command = plan
  variables {
    topics = ["arn:aws:sns:eu-central-1:123456789012:*"]
  }
  expect_failures = [var.topics]
}

run "a_topic_of_any_account" {
  command = plan
  variables {
    topics = ["arn:aws:sns:eu-central-1:*:drops"]
  }
  expect_failures = [var.topics]
}

run "a_topic_that_s3_cannot_notify" {
  command = plan
  variables {
    topics = ["arn:aws:sns:eu-central-1:123456789012:drops.fifo"]
  }
  expect_failures = [var.topics]
}

run "a_queue_as_a_topic" {
  command = plan
  variables {
    topics = ["arn:aws:sqs:eu-central-1:123456789012:drops"]
  }
  expect_failures = [var.topics]
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

run "two_orders_of_one_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["k"] }
      late   = { source = "s3://drops/late/", table = "s3://lake/orders/" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "an_order_and_a_z_order_of_one_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", cluster_by = ["k"] }
      late   = { source = "s3://drops/late/", table = "s3://lake/orders/", z_order_by = ["k"] }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "two_partitions_of_one_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", partition_columns = ["k"] }
      late   = { source = "s3://drops/late/", table = "s3://lake/orders/" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "two_sizes_of_one_table" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", target_file_size = "256MiB" }
      late   = { source = "s3://drops/late/", table = "s3://lake/orders/" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_source_within_another_by_an_empty_folder" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/a//b/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/a/b/c/", table = "s3://lake/late" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_source_within_a_table_by_a_dot" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://lake/./orders/in/", table = "s3://lake/orders" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_settings_bucket_with_two_dots" {
  command = plan
  variables {
    settings_address = "s3://con..fig/settings.json"
  }
  expect_failures = [var.settings_address]
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

# Terraform itself drops such keys without a word.
run "a_misspelt_key_of_a_pipeline" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", formt = "csv" }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_misspelt_key_of_one_pipeline_among_others" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders", format = "csv" }
      late   = { source = "s3://drops/late/", table = "s3://lake/late", Format = "csv", cluster_by = ["a"] }
    }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_misspelt_key_of_ingest" {
  command = plan
  variables {
    ingest = { time_out = 300 }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_misspelt_key_of_ingest_large" {
  command = plan
  variables {
    ingest_large = { dropsize = "32MiB" }
  }
  expect_failures = [aws_s3_object.settings]
}

run "a_misspelt_key_of_the_compactor" {
  command = plan
  variables {
    compactor = { shedule = "rate(2 minutes)" }
  }
  expect_failures = [aws_s3_object.settings]
}

# Near each other, and right.
run "neighbours" {
  command = plan
  variables {
    pipelines = {
      orders = { source = "s3://drops/orders/", table = "s3://lake/orders" }
      late   = { source = "s3://drops/orders-late/", table = "s3://lake/orders2" }
      more   = { source = "s3://drops/more/", table = "s3://lake/orders/", target_file_size = "131072KiB", partition_columns = [] }
      even   = { source = "s3://drops/even/", table = "s3://lake/even", cluster_by = ["a", "b.c", "größe"], partition_columns = ["day"] }
      equal  = { source = "s3://drops/equal/", table = "s3://lake/even", cluster_by = ["a ", "b.c", "größe"], partition_columns = ["day"] }
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

run "a_level_that_is_none" {
  command = plan
  variables {
    log_filter = "info,ingest=verbose"
  }
  expect_failures = [var.log_filter]
}

run "levels_of_parts" {
  command = plan
  variables {
    log_filter = "WARN, ingest=debug"
  }
}

run "a_topic_without_an_address" {
  command = plan
  variables {
    alarm_topic_arn = "pager"
  }
  expect_failures = [var.alarm_topic_arn]
}
