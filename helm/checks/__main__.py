"""Runs all checks; each is a function that yields what it found wrong."""

import os
import sys
import time

import manifests
import pods
import readme
import refusals
import rendered
import variables

CHECKS = [
    readme.the_readme_and_the_schema_say_what_the_values_and_the_product_say,
    readme.every_value_is_explained_and_known_to_the_schema,
    readme.the_chart_is_of_this_version,
    variables.every_variable_of_the_server_can_be_set,
    variables.every_variable_reaches_the_process_that_reads_it,
    variables.bare_words_and_numbers_of_yaml_arrive_as_the_server_reads_them,
    variables.the_owners_login_is_with_the_migration_and_the_purge_alone,
    variables.the_schema_takes_what_the_server_takes,
    rendered.both_helms_lint_every_case,
    rendered.both_helms_make_the_same_of_every_case,
    rendered.what_is_made_is_what_was_reviewed,
    rendered.the_notes_are_what_was_reviewed,
    manifests.every_object_fits_its_schema_in_every_version_of_kubernetes,
    manifests.what_objects_name_is_there,
    pods.every_pod_is_restricted,
    pods.services_and_policies_select_the_pods_that_they_are_for,
    pods.what_only_operators_see_is_not_on_the_port_for_clients,
    pods.servers_have_the_time_to_go,
    pods.what_a_hook_needs_is_made_by_a_hook_before_it,
    refusals.what_can_not_work_is_refused_with_a_reason,
]


def main():
    if os.environ.get("UPDATE"):
        readme.update()
        rendered.update()
    failed = 0
    for check in CHECKS:
        began = time.monotonic()
        faults = list(check())
        failed += bool(faults)
        name = check.__name__.replace("_", " ")
        print(f"{'FAILED' if faults else 'ok':6} {time.monotonic() - began:5.1f} s  {name}", flush=True)
        for fault in faults:
            print(f"    {fault}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
