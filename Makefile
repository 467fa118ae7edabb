# Two commands do all on a fresh machine: `make up` and `make test`. Both first see to the tool chain.
PYTHON ?= python3
VENV   := .venv/bin/python
IN     := $(VENV) -m sandbox exec --

.PHONY: help toolchain azure-cli squid-openssl azapi backends hadolint actionlint gitlab-ci-local up down shell status test test-long bench fleet-demo bench-azure bench-policy bench-audit bench-fleet bench-backends bench-association check format schema policy-docs policy-bundle pipelines clean
help: ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

toolchain: ## Find, fetch or build pulumi, its plugins and the cluster's programs
	@$(PYTHON) -m toolchain

# Real clients of the local Azure, and a proxy that opens TLS. Where one cannot be had, its tests say so and are skipped.
azure-cli: toolchain
	-@$(PYTHON) -m toolchain --only azure-cli

squid-openssl: toolchain
	-@$(PYTHON) -m toolchain --only squid-openssl

azapi: toolchain
	-@$(PYTHON) -m toolchain --only tofu terraform-provider-azapi

backends: toolchain
	-@$(PYTHON) -m toolchain --only azurite
	-@$(PYTHON) -m toolchain --only moto-server

hadolint: toolchain
	-@$(PYTHON) -m toolchain --only hadolint

actionlint: toolchain
	-@$(PYTHON) -m toolchain --only actionlint

gitlab-ci-local: toolchain
	-@$(PYTHON) -m toolchain --only gitlab-ci-local

up: toolchain ## Start the sandbox and deploy the dev stack into it
	@$(VENV) -m sandbox up -- pulumi up --yes --stack dev --policy-pack policy

down: ## Destroy the dev stack and stop everything
	@$(VENV) -m sandbox down --destroy

shell: ## A shell in which pulumi, kubectl and az reach the sandbox
	@$(IN) $${SHELL:-/bin/sh}

status: ## What runs, and where
	@$(VENV) -m sandbox status

test: toolchain azure-cli squid-openssl hadolint actionlint check ## The suite of every day
	@$(VENV) -m pytest -q -n auto --dist loadfile -m "not long"

test-long: toolchain squid-openssl azapi backends gitlab-ci-local ## The rest: every direction, foreign clients, faults
	@$(VENV) -m pytest -q -n auto --dist loadfile -m long

bench: toolchain ## What preview and up of 100 clusters cost with the components, and without
	@$(VENV) -m bench components

bench-azure: toolchain ## What requests cost the local Azure, and whether that depends on what it holds
	@$(VENV) -m bench azure

bench-policy: toolchain ## What a preview costs with the policy pack, with idle policies, and without any
	@$(VENV) -m bench policy

bench-fleet: toolchain ## What 1,000 clusters cost as a fleet and in one stack, and how well a latency is used
	@$(VENV) -m bench fleet
	@$(VENV) -m bench fleet --clusters 200 --latency 20

bench-audit: ## What reading logs costs the audit, by their form, and that its memory does not grow with them
	@$(VENV) -m bench audit

fleet-demo: toolchain ## Onboard 200 clusters in three rings, with failures and a kill in the middle, and prove the outcome
	@$(VENV) -m sandbox.fleet_demo

bench-backends: toolchain backends ## What a place of state costs: Azure Blob and S3, in what a folder costs
	@$(VENV) -m bench backends

bench-association: toolchain ## The CPU seconds of one association and one onboarding, by who uses them
	@$(VENV) -m bench association

check: ## Format, lint and types
	@$(VENV) -m ruff format --check --quiet .
	@$(VENV) -m ruff check --quiet .
	@$(VENV) -m mypy

format: ## Mend what the formatter and linter can
	@$(VENV) -m ruff format --quiet .
	@$(VENV) -m ruff check --quiet --fix .

schema: ## Write anew the schemas that are checked in
	@$(VENV) -m components.package > components/schema.json
	@$(VENV) -m components.stack_schema
	@$(VENV) -m components.fleet_schema

policy-docs: ## Write docs/policies.md anew from the rules
	@cd policy && ../$(VENV) -m arc_policies.documentation > ../docs/policies.md

policy-bundle: toolchain ## Write dist/policy, the policy pack as a folder of its own, ready to be published
	@$(VENV) policy/bundle.py

pipelines: ## Write the examples of pipelines anew
	@$(VENV) tests/pipelines/pipeline_files.py

clean: ## Remove the sandbox's state (not the tool chain)
	@$(VENV) -m sandbox down
	@rm -rf .local/sandbox
