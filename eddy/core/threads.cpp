// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "eddy/core/cgroup.h"
#include "eddy/core/denormals.h"
#include "eddy/core/error.h"
#include "eddy/core/resident_team.h"

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
  unsigned float_modes = FloatModes::current();  // of the thread that has the job done

  void work(int thread, int threads) const {
    const FloatModes modes(float_modes);
    body(context, thread, threads);
  }
};

/// Threads that stay in one parallel region and take job after job from its first thread.
class ResidentTeam {
 public:
  /// Before the first run; the members already serve.
  void set_size(int size) { size_ = size; }

  void run(int threads, const Job& job) {
    threads = std::min(threads, size_);
    job_ = job;
    members_ = threads;
    // Those without a part answer too: none may still look at this job when the next one comes.
    busy_.store(size_ - 1, std::memory_order_relaxed);
    ticket_.fetch_add(1, std::memory_order_release);
    ticket_.notify_all();
    // Also when the caller's part throws: the others still look at the job, which lies on its stack.
    const struct Others {
      const ResidentTeam* team;
      ~Others() {
        wait([this] { return team->busy_.load(std::memory_order_acquire) == 0; });
      }
    } others{this};
    job.work(0, threads);
  }
  void stop() {
    stopped_ = true;
    ticket_.fetch_add(1, std::memory_order_release);
    ticket_.notify_all();
  }
  void serve(int thread) {
    for (unsigned seen = 0;;) {
      // After a while without work the thread sleeps.
      const bool found = wait([&] { return ticket_.load(std::memory_order_acquire) != seen; }, kYields);
      if (!found) ticket_.wait(seen, std::memory_order_acquire);
      seen = ticket_.load(std::memory_order_acquire);
      if (stopped_) return;
      if (thread < members_) job_.work(thread, members_);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

 private:
  static constexpr int kSpins = 2000;
  static constexpr int kYields = 2000;

  /// Spins, then gives the processor away again and again; false when `yields` times were not enough.
  template <class Condition>
  static bool wait(const Condition& condition, int yields = -1) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (condition()) return true;
      __builtin_ia32_pause();
    }
    for (int count = 0; count != yields; ++count) {
      if (condition()) return true;
      sched_yield();
    }
    return false;
  }

  int size_ = 1;
  Job job_{};
  int members_ = 0;
  bool stopped_ = false;
  alignas(64) std::atomic<unsigned> ticket_{0};
  alignas(64) std::atomic<int> busy_{0};
};

/// The team whose first thread this is, unless it is at work in one of its jobs.
thread_local ResidentTeam* resident = nullptr;

int allowed_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

int& thread_setting() {
  // More threads than the quota has processors wait for each other's turns.
  static int threads = std::min({allowed_processors(), quota_processors().value_or(1024), omp_get_max_threads()});
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
  const Job job{.body = body, .context = context};
  if (threads > 1 && resident != nullptr) {
    // Inside the job there are no more threads to be had.
    const struct Busy {
      ResidentTeam* team = std::exchange(resident, nullptr);
      ~Busy() { resident = team; }
    } busy;
    busy.team->run(threads, job);
    return;
  }
  if (threads <= 1 || omp_in_parallel() != 0) {
    body(context, 0, 1);
    return;
  }
  GOMP_parallel([](void* data) { static_cast<const Job*>(data)->work(omp_get_thread_num(), omp_get_num_threads()); },
                const_cast<Job*>(&job), static_cast<unsigned>(threads), 0);
}

void run_resident(void (*body)(void*), void* context) {
  const int threads = num_threads();
  if (threads <= 1 || resident != nullptr || omp_in_parallel() != 0) {
    body(context);
    return;
  }
  struct Region {
    ResidentTeam team;
    void (*body)(void*);
    void* context;
    std::exception_ptr error;
  } region{.team = {}, .body = body, .context = context, .error = nullptr};
  GOMP_parallel(
      [](void* data) {
        auto& all = *static_cast<Region*>(data);
        if (omp_get_thread_num() != 0) return all.team.serve(omp_get_thread_num());
        // OpenMP may give fewer threads than were asked for (OMP_THREAD_LIMIT, OMP_DYNAMIC).
        all.team.set_size(omp_get_num_threads());
        resident = &all.team;
        try {
          all.body(all.context);
        } catch (...) {
          all.error = std::current_exception();
        }
        resident = nullptr;
        all.team.stop();
      },
      &region, static_cast<unsigned>(threads), 0);
  if (region.error) std::rethrow_exception(region.error);
}

}  // namespace eddy
