// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/threads.h"

#include <sched.h>

#include "eddy/core/error.h"

// libgomp's own entry points: the team is the one oneDNN uses, whichever compiler builds eddy (clang's -fopenmp would
// bring a second runtime whose threads fight the first).
extern "C" {
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
int omp_get_thread_num();
int omp_get_num_threads();
int omp_get_max_threads();
int omp_in_parallel();
void omp_set_num_threads(int threads);
}

namespace eddy {
namespace {

struct Job {
  void (*body)(void*, int, int);
  void* context;
};

int allowed_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

int& thread_setting() {
  static int threads = std::min(allowed_processors(), omp_get_max_threads());
  return threads;
}

}  // namespace

int num_threads() { return thread_setting(); }

void set_num_threads(int threads) {
  require<UsageError>(threads >= 1 && threads <= 1024, "the number of threads must be 1 to 1024, not {}", threads);
  thread_setting() = threads;
  omp_set_num_threads(threads);
}

void run_team(int threads, void (*body)(void*, int, int), void* context) {
  if (threads <= 1 || omp_in_parallel() != 0) {
    body(context, 0, 1);
    return;
  }
  Job job{body, context};
  GOMP_parallel(
      [](void* data) {
        const auto* work = static_cast<const Job*>(data);
        work->body(work->context, omp_get_thread_num(), omp_get_num_threads());
      },
      &job, static_cast<unsigned>(threads), 0);
}

}  // namespace eddy
