# One folder of src/ is one library target. Files are found by their suffix, so adding one needs no edit here:
#   x.cc            part of the library carat_<name>
#   x_test.cc       part of the test program <name>_test
#   x_slow_test.cc  part of <name>_slow_test: minutes under a sanitizer, and so left out there (label slow)
#   x_bench.cc      part of the benchmark program <name>_bench
#   x_fuzz.cc       a libFuzzer program of its own, x_fuzz
add_library(carat_flags INTERFACE)
target_compile_options(carat_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
  # Two products and a sum stay two roundings unless the source says fma: results do not depend on the compiler.
  -ffp-contract=off)
target_include_directories(carat_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(CARAT_SANITIZE)
  add_compile_options(-fsanitize=${CARAT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CARAT_SANITIZE})
endif()

# carat_test(PROGRAM PREFIX LIBRARIES SOURCES LABEL TIMEOUT): a GoogleTest program, its tests known to ctest.
function(carat_test program prefix libraries sources label timeout)
  add_executable(${program} ${sources})
  target_link_libraries(${program} PRIVATE ${libraries} carat_test_fixture GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${program} TEST_PREFIX ${prefix}. DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${timeout} LABELS ${label})
endfunction()

if(CARAT_BUILD_TESTS)
  add_library(carat_test_fixture OBJECT ${CMAKE_SOURCE_DIR}/tests/test_fixture.cc)
  target_link_libraries(carat_test_fixture PRIVATE carat_flags)
  target_compile_definitions(carat_test_fixture PRIVATE CARAT_FIXTURES="${CMAKE_SOURCE_DIR}/tests/fixtures")
endif()

# carat_folder(NAME [DEPS target...] [TEST_DEPS target...] [EXCLUDE regex])
# DEPS are public, TEST_DEPS go to tests, benchmarks and fuzzers only.
function(carat_folder name)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  set(tests ${sources})
  set(slow_tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER tests EXCLUDE REGEX "_slow_test\\.cc$")
  list(FILTER slow_tests INCLUDE REGEX "_slow_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")

  if(sources)
    add_library(carat_${name} STATIC ${sources})
    target_link_libraries(carat_${name} PUBLIC carat_flags ${ARG_DEPS})
  else()
    add_library(carat_${name} INTERFACE)
    target_link_libraries(carat_${name} INTERFACE carat_flags ${ARG_DEPS})
  endif()

  set(test_libraries carat_${name} ${ARG_TEST_DEPS})
  if(CARAT_BUILD_TESTS AND tests)
    carat_test(${name}_test ${name} "${test_libraries}" "${tests}" unit 600)
  endif()
  if(CARAT_BUILD_TESTS AND slow_tests)
    carat_test(${name}_slow_test ${name} "${test_libraries}" "${slow_tests}" slow 1800)
  endif()
  if(CARAT_BUILD_BENCHMARKS AND benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE ${test_libraries} benchmark::benchmark_main)
  endif()
  if(CARAT_BUILD_FUZZERS)
    foreach(fuzzer ${fuzzers})
      get_filename_component(program ${fuzzer} NAME_WE)
      add_executable(${program} ${fuzzer})
      target_link_libraries(${program} PRIVATE ${test_libraries})
      target_link_options(${program} PRIVATE -fsanitize=fuzzer)
      add_dependencies(fuzzers ${program})
    endforeach()
  endif()
endfunction()
