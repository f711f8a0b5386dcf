# Reads the module's own sources, for what no plan shows: a policy that nobody listed.

locals {
  root  = "${path.module}/../.."
  files = concat(tolist(fileset(local.root, "*.tf")), tolist(fileset(local.root, "modules/*/*.tf")))
  texts = { for file in local.files : file => file("${local.root}/${file}") }
}

output "files" {
  description = "How many files were read."
  value       = length(local.files)
}

output "policy_resources" {
  description = "Resources that hold a policy or a role."
  value       = flatten([for text in local.texts : [for found in regexall("(?m)^resource \"(aws_[a-z0-9_]*(?:policy|role)[a-z0-9_]*)\"", text) : found[0]]])
}

output "policy_arguments" {
  description = "Arguments that hold a policy, by file."
  value       = { for file, text in local.texts : file => length(regexall("(?m)^\\s+(?:policy|assume_role_policy)\\s+=", text)) if length(regexall("(?m)^\\s+(?:policy|assume_role_policy)\\s+=", text)) > 0 }
}

output "unreadable" {
  description = "Files with policies that a test cannot read: a data source is mocked, and AWS's own policies are wide."
  value       = [for file, text in local.texts : file if strcontains(text, "aws_iam_policy_document") || strcontains(text, "managed_policy_arn") || strcontains(text, "policy_arn ")]
}

output "stars" {
  description = "Files in which \"*\" is an action or a whole resource."
  value       = [for file, text in local.texts : file if length(regexall("(?:Resource|Action)\\s*=\\s*\\[?\\s*\"\\*\"", text)) > 0]
}

output "replaced_gently" {
  description = "Resources that are made anew before the old one is destroyed."
  value = flatten([for text in local.texts : [for block in regexall("(?s)\nresource \"([a-z0-9_]+)\" \"([a-z0-9_]+)\" \\{\n(.*?)\n\\}", text) :
    "${block[0]}.${block[1]}" if length(regexall("create_before_destroy += true", block[2])) > 0
  ]])
}

output "waits_for" {
  description = "What each resource names in its depends_on: those of the module itself by their names, those of the modules in it as \"modules/NAME: RESOURCE\"."
  value = { for block in flatten([for file, text in local.texts : [
    for found in regexall("(?s)\nresource \"([a-z0-9_]+)\" \"([a-z0-9_]+)\" \\{\n(.*?)\n\\}", "\n${text}") : { name = "${startswith(file, "modules/") ? "${dirname(file)}: " : ""}${found[0]}.${found[1]}", body = found[2] }
    ]]) : block.name => tolist([
    for name in flatten(regexall("([a-z0-9_]+\\.[a-z0-9_]+)", try(regex("(?s)depends_on\\s*=\\s*\\[(.*?)\\]", block.body)[0], ""))) : name
  ]) }
}
