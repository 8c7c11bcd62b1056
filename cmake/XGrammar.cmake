# The C++ core of XGrammar as a static library, from the source distribution that ./dev setup unpacks. Its own CMake
# files are not used: they bring Python bindings, -Werror and link-time optimisation.
set(CARAT_XGRAMMAR_SOURCE "" CACHE PATH "XGrammar 0.2.8's source (default: where ./dev setup build puts it)")
if(CARAT_XGRAMMAR_SOURCE)
  set(source ${CARAT_XGRAMMAR_SOURCE})
elseif(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(source $ENV{XDG_CACHE_HOME}/carat/xgrammar-0.2.8)
else()
  set(source $ENV{HOME}/.cache/carat/xgrammar-0.2.8)
endif()
if(NOT EXISTS ${source}/include/xgrammar/matcher.h)
  message(FATAL_ERROR
    "XGrammar's source is not in ${source}: run ./dev setup build, or set CARAT_XGRAMMAR_SOURCE to its folder.")
endif()

file(GLOB xgrammar_sources ${source}/cpp/*.cc ${source}/cpp/support/*.cc ${source}/cpp/converter_ext/*.cc)
add_library(xgrammar STATIC EXCLUDE_FROM_ALL ${xgrammar_sources})
target_include_directories(xgrammar SYSTEM PUBLIC ${source}/include ${source}/3rdparty/dlpack/include
  PRIVATE ${source}/3rdparty/picojson)
target_compile_definitions(xgrammar PRIVATE XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0)
# Others' code: its warnings are not ours, and without optimisation it is too slow for the tests.
target_compile_options(xgrammar PRIVATE -w $<$<CONFIG:Debug>:-O1>)
set_target_properties(xgrammar PROPERTIES CXX_STANDARD 17 EXPORT_COMPILE_COMMANDS OFF CXX_CLANG_TIDY "")
find_package(Threads REQUIRED)
target_link_libraries(xgrammar PUBLIC Threads::Threads)
