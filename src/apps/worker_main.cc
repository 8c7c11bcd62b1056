// carat-worker JOB: the program that reads files from outside for carat, which starts it (see
// worker/serve.h).
#include <cstdlib>

#include "grammar/compile_job.h"
#include "images/codec/vips_decode.h"
#include "worker/serve.h"

int main(int argc, char** argv) {
  const carat::worker::Job jobs[] = {carat::images::decode_job(), carat::grammar::compile_job()};
  return argc == 2 ? carat::worker::serve(jobs, argv[1]) : EXIT_FAILURE;
}
