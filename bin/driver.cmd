@echo off
rem The launcher for Windows: see bin/driver. cmd.exe stays the driver's parent, which the driver watches.
setlocal
for %%I in ("%~dp0..") do set "ROOT=%%~fI"
if defined ARCGATEWAY_PYTHON (
  set "PY=%ARCGATEWAY_PYTHON%"
  goto run
)
if exist "%ROOT%\.venv\Scripts\python.exe" (
  set "PY=%ROOT%\.venv\Scripts\python.exe"
  goto run
)
if defined VIRTUAL_ENV if exist "%VIRTUAL_ENV%\Scripts\python.exe" (
  set "PY=%VIRTUAL_ENV%\Scripts\python.exe"
  goto run
)
where /q arcgateway
if not errorlevel 1 (
  arcgateway driver %*
  exit /b
)
echo no Python for the driver: run `make toolchain` in %ROOT%, or set ARCGATEWAY_PYTHON to one that has arc-gateway 1>&2
exit /b 1

:run
if exist "%ROOT%\arcgateway\driver.py" (
  "%PY%" -c "import os, sys; sys.path[0] = sys.argv[1]; from arcgateway.driver import main; sys.exit(main(sys.argv[2:], os.environ))" "%ROOT%" %*
) else (
  "%PY%" -m arcgateway.driver %*
)
exit /b
