# Buckets that the module makes. Those that exist are left as they are, but for their notification (queue.tf).

locals {
  # An overwritten object is read at the version that was notified.
  versioned_buckets = toset([for name, pipeline in module.inputs.pipelines : local.pipelines[name].source_bucket if pipeline.overwrites == "ingest"])

  bucket_policies = { for bucket in var.make_buckets : bucket => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["${local.arns.s3}${bucket}", "${local.arns.s3}${bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  }) }
}

resource "aws_s3_bucket" "made" {
  for_each = var.make_buckets

  bucket        = each.value
  force_destroy = var.destroy_buckets_with_content

  lifecycle {
    precondition {
      condition     = contains(setunion(local.source_buckets, local.table_buckets, [local.settings_bucket]), each.value)
      error_message = "No pipeline uses the bucket ${each.value} of make_buckets: take it out, or name it in a pipeline's source or table."
    }
  }
}

resource "aws_s3_bucket_public_access_block" "made" {
  for_each = aws_s3_bucket.made

  bucket                  = each.value.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "made" {
  for_each = aws_s3_bucket.made

  bucket = each.value.bucket
  rule {
    bucket_key_enabled = var.kms_key != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "made" {
  for_each = setintersection(var.make_buckets, local.versioned_buckets)

  bucket = aws_s3_bucket.made[each.value].bucket
  versioning_configuration {
    status = "Enabled"
  }
}

# Parts of uploads that never ended cost money and are seen by nobody. Objects are never touched by a rule: staged files are deleted by
# the compactor alone.
resource "aws_s3_bucket_lifecycle_configuration" "made" {
  for_each = aws_s3_bucket.made

  bucket = each.value.bucket
  rule {
    id     = "abandoned-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "made" {
  for_each = aws_s3_bucket.made

  bucket = each.value.bucket
  policy = local.bucket_policies[each.key]

  # S3 refuses to work on both at once.
  depends_on = [aws_s3_bucket_public_access_block.made]
}
