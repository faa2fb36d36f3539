# Finds dotnet and hands over to build.cs, which does the work on every system. `./build.ps1 help` lists the targets.
if (-not ((Get-Command dotnet -ErrorAction SilentlyContinue) -and ((dotnet --version) -match '^1\d\.'))) {
    Write-Error 'The .NET 10 SDK was not found. Get it at https://dotnet.microsoft.com/download/dotnet/10.0'
    exit 1
}
dotnet run (Join-Path $PSScriptRoot 'build.cs') -- @args
exit $LASTEXITCODE
