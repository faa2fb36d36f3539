#!/bin/sh
# Finds dotnet and hands over to build.cs, which does the work on every system. `./build.sh help` lists the targets.
PATH="$PATH:${DOTNET_ROOT:-$HOME/.dotnet}:/usr/share/dotnet:/usr/lib/dotnet"
case "$(dotnet --version 2>/dev/null)" in
    1[0-9].*) exec dotnet run "$(dirname "$0")/build.cs" -- "$@" ;;
    *)
        echo "error: the .NET 10 SDK was not found. Get it at https://dotnet.microsoft.com/download/dotnet/10.0" >&2
        echo "       (Ubuntu: apt-get install dotnet-sdk-10.0)" >&2
        exit 1 ;;
esac
