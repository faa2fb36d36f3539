# Builds the build program (build/) if one of its files has changed, and hands over to it. `./build.ps1 help` lists the targets.
$program = Join-Path $PSScriptRoot 'artifacts/build/Build.dll'
$sources = Get-ChildItem (Join-Path $PSScriptRoot 'build') -File
if (-not (Test-Path $program) -or ($sources | Where-Object { $_.LastWriteTimeUtc -gt (Get-Item $program).LastWriteTimeUtc })) {
    if (-not ((Get-Command dotnet -ErrorAction SilentlyContinue) -and ((dotnet --version) -match '^1\d\.'))) {
        Write-Error 'The .NET 10 SDK was not found. Get it at https://dotnet.microsoft.com/download/dotnet/10.0'
        exit 1
    }
    $env:MSBUILDDISABLENODEREUSE = '1'
    $said = dotnet build (Join-Path $PSScriptRoot 'build/Build.csproj') -c Release -v quiet --nologo
    if ($LASTEXITCODE -ne 0) { $said; exit 1 }
    (Get-Item $program).LastWriteTimeUtc = [DateTime]::UtcNow
}
dotnet $program @args
exit $LASTEXITCODE
