#!/bin/sh
# Builds the build program (build/) if one of its files has changed, and hands over to it. `./build.sh help` lists the targets.
PATH="$PATH:${DOTNET_ROOT:-$HOME/.dotnet}:/usr/share/dotnet:/usr/lib/dotnet"
here=$(dirname "$0")
program=$here/artifacts/build/Build.dll
if [ ! -f "$program" ] || [ -n "$(find "$here/build" -newer "$program" | head -n 1)" ]; then
    case "$(dotnet --version 2>/dev/null)" in
        1[0-9].*) ;;
        *)
            echo "error: the .NET 10 SDK was not found. Get it at https://dotnet.microsoft.com/download/dotnet/10.0" >&2
            echo "       (Ubuntu: apt-get install dotnet-sdk-10.0)" >&2
            exit 1 ;;
    esac
    said=$(DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1 \
        dotnet build "$here/build/Build.csproj" -c Release -v quiet --nologo) || { echo "$said" >&2; exit 1; }
    touch "$program"
fi
exec dotnet "$program" "$@"
