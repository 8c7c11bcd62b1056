#pragma once

#include "apps/command_line.h"

namespace carat::apps {

// Each adds one subcommand; x_command.cc has it.
void add_chat_command(CommandLine& line);
void add_run_command(CommandLine& line);
void add_serve_command(CommandLine& line);
void add_tokenize_command(CommandLine& line);
void add_inspect_command(CommandLine& line);
void add_logits_command(CommandLine& line);
void add_perplexity_command(CommandLine& line);
void add_quantize_command(CommandLine& line);
void add_bench_command(CommandLine& line);
void add_doctor_command(CommandLine& line);
void add_pull_command(CommandLine& line);
void add_models_command(CommandLine& line);
void add_plan_command(CommandLine& line);
void add_keys_command(CommandLine& line);
void add_config_command(CommandLine& line);

}  // namespace carat::apps
