terraform {
  # 1.9: a variable's validation may look at other variables.
  required_version = ">= 1.9"
}
